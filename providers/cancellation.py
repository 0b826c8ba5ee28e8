"""A wish to stop, seen by every thread that works on a generation."""

import threading
from collections.abc import Callable


class Cancellation:
    """A thread-safe flag that is set once, with callbacks for those who wait elsewhere."""

    __slots__ = ("_callbacks", "_cancelled", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Set the flag and run the callbacks, on the calling thread; later calls do nothing."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            callbacks = tuple(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run ``callback`` once when cancelled, at once if that was already.

        ``callback`` must be quick and must not raise. Returns: a function that forgets it.
        """
        handle = object()
        with self._lock:
            if not self._cancelled:
                self._callbacks[handle] = callback
                return lambda: self._forget(handle)
        callback()
        return lambda: None

    def _forget(self, handle: object) -> None:
        with self._lock:
            self._callbacks.pop(handle, None)
