"""The actors: each does one thing, and none knows another."""
