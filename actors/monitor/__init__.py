"""Which model and strategy shall answer, from what executors announce."""

from actors.monitor.monitor import Monitor
from actors.monitor.placer import Placer
from actors.monitor.refusal_queues import RefusalQueues

__all__ = ["Monitor", "Placer", "RefusalQueues"]
