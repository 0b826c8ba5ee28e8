"""Who in this process listens to which run."""

from collections.abc import Callable
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class RunListeners(Generic[ItemT]):
    """Listeners by run; each is called in the event loop and must neither block nor raise."""

    def __init__(self) -> None:
        self._by_run: dict[str, list[Callable[[ItemT], None]]] = {}

    def __len__(self) -> int:
        """Runs that somebody listens to."""
        return len(self._by_run)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._by_run

    def add(self, run_id: str, listener: Callable[[ItemT], None]) -> Callable[[], None]:
        """Call ``listener`` for every item of that run; the returned function ends that."""
        self._by_run.setdefault(run_id, []).append(listener)
        return lambda: self._forget(run_id, listener)

    def tell(self, run_id: str, item: ItemT) -> None:
        """Hand ``item`` to those who listen to that run; they may stop listening meanwhile."""
        for listener in tuple(self._by_run.get(run_id, ())):
            listener(item)

    def _forget(self, run_id: str, listener: Callable[[ItemT], None]) -> None:
        listeners = self._by_run[run_id]
        listeners.remove(listener)
        if not listeners:
            del self._by_run[run_id]
