"""Leaving a server alone that keeps failing; pure but for the clock it is handed."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

MAX_FAILURES = 3
FIRST_S = 2.0
LONGEST_S = 60.0
# While one request finds out whether the server is back, the others are turned away this long.
PROBE_S = 1.0


@dataclass(slots=True)
class _Record:
    num_failures: int = 0
    ends_s: float = float("-inf")
    probing: bool = False


class Cooldown:
    """Counts failures in a row by key; ``clock`` tells seconds that never go back.

    From the ``MAX_FAILURES``-th on, a key cools for a time that doubles with each further failure.
    When it is over, one request tries, and only its success lets the others follow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = defaultdict(_Record)

    def admit(self, key: str) -> float:
        """0 for a request that may go, and must be settled by one of the methods below.

        Else the seconds to wait: more than 0.
        """
        record = self._records[key]
        left_s = record.ends_s - self._clock()
        if left_s > 0:
            # A sum and a difference of floats may not meet again.
            return min(left_s, LONGEST_S)
        if record.num_failures < MAX_FAILURES:
            return 0.0
        if record.probing:
            return PROBE_S
        record.probing = True
        return 0.0

    def succeed(self, key: str) -> None:
        """The request was answered: all is forgiven."""
        self._records.pop(key, None)

    def abandon(self, key: str) -> None:
        """The request ended without telling anything about the server."""
        self._records[key].probing = False

    def fail(self, key: str, retry_after_s: float | None = None) -> None:
        """The request failed; ``retry_after_s`` is when the server wants to be asked again.

        Requests that were under way when the key began to cool count as the same failure.
        """
        record = self._records[key]
        record.probing = False
        now_s = self._clock()
        if record.ends_s > now_s:
            return
        record.num_failures += 1
        num_doublings = record.num_failures - MAX_FAILURES
        pause_s = 0.0
        if num_doublings >= 0:
            pause_s = min(LONGEST_S, FIRST_S * 2.0 ** min(num_doublings, 16))
        if retry_after_s is not None:
            pause_s = max(pause_s, min(LONGEST_S, retry_after_s))
        record.ends_s = now_s + pause_s
