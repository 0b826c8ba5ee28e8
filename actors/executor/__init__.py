"""The executor: hosts models on one machine and generates with them."""

from actors.executor.executor import Executor

__all__ = ["Executor"]
