"""Which model and strategy shall answer, from what executors announce."""

from actors.monitor.monitor import Monitor

__all__ = ["Monitor"]
