"""How things travel: one thin layer over nats-py and JetStream."""
