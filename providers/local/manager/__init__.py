"""Which models are resident, and who uses them."""
