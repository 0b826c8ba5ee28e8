"""The executor: hosts models on one machine and generates with them."""

from actors.executor.control import ExecutorControl
from actors.executor.executor import Executor
from actors.executor.queue_set import QueueSet

__all__ = ["Executor", "ExecutorControl", "QueueSet"]
