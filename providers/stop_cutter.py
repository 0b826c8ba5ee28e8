"""Stop strings, found in a stream of text however it is cut into pieces."""

from collections.abc import Iterable


class StopCutter:
    """Lets text through until a stop string is complete, and nothing of the stop string itself.

    The stop string that is complete first wins; of those complete at the same character, the
    longest. Text that may turn out to be the beginning of one is held back until that is known,
    so the result does not depend on the pieces. Pure.
    """

    __slots__ = ("_held", "_max_held", "_prefixes", "_stops", "stopped")

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(dict.fromkeys(stop for stop in stops if stop))
        self._prefixes = frozenset(stop[:n] for stop in self._stops for n in range(1, len(stop)))
        self._max_held = max((len(stop) - 1 for stop in self._stops), default=0)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """What of the text so far can be given out now; empty once stopped."""
        if not self._stops:
            return text
        if self.stopped:
            return ""
        text = self._held + text
        end = self._first_stop(text)
        if end is not None:
            self.stopped, self._held = True, ""
            return text[:end]
        num_held = self._num_held(text)
        self._held = text[len(text) - num_held :]
        return text[: len(text) - num_held]

    def flush(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held

    def _first_stop(self, text: str) -> int | None:
        found = [
            (start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0
        ]
        return min(found)[1] if found else None

    def _num_held(self, text: str) -> int:
        for length in range(min(self._max_held, len(text)), 0, -1):
            if text[len(text) - length :] in self._prefixes:
                return length
        return 0
