"""How much one key, or one address, may still ask for; pure but for what it counts.

Each process counts for itself: behind an address that several of them share, a key may have as
much of each.
"""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left at a moment: ``reset_s`` until all of it is back, ``wait_s`` until one is."""

    limit: int
    remaining: int
    reset_s: int
    wait_s: int

    def headers(self) -> dict[str, str]:
        """The same as headers (draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "RateLimit-Policy": f'"requests";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"requests";r={self.remaining};t={self.reset_s}',
        }


class Bucket:
    """``per_minute`` at once, and then again as they come back evenly."""

    def __init__(self, per_minute: int, now_s: float) -> None:
        self._limit = per_minute
        self._left = float(per_minute)
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Take one, if there is one."""
        self._refill(now_s)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def quota(self, now_s: float) -> Quota:
        """What is left at ``now_s``."""
        self._refill(now_s)
        per_s = self._limit / WINDOW_S
        return Quota(
            limit=self._limit,
            remaining=int(self._left),
            reset_s=math.ceil((self._limit - self._left) / per_s),
            wait_s=max(1, math.ceil((1 - self._left) / per_s)),
        )

    def _refill(self, now_s: float) -> None:
        back = max(0.0, now_s - self._at_s) * self._limit / WINDOW_S
        self._left = min(float(self._limit), self._left + back)
        self._at_s = max(now_s, self._at_s)


class Buckets:
    """One bucket per name; of more than ``max_names`` the one unused for longest is forgotten."""

    def __init__(self, per_minute: int, max_names: int = 10_000) -> None:
        self._per_minute = per_minute
        self._max_names = max_names
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def of(self, name: str) -> Bucket:
        """The bucket of ``name``."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._per_minute, time.monotonic())
            if len(self._buckets) > self._max_names:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        return bucket


class Seats:
    """How many of ``limit`` places at once each name has taken."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken: dict[str, int] = {}

    def take(self, name: str) -> bool:
        """Take one, if there is one."""
        taken = self._taken.get(name, 0)
        if taken >= self.limit:
            return False
        self._taken[name] = taken + 1
        return True

    def give_back(self, name: str) -> None:
        """Give one back that was taken."""
        left = self._taken[name] - 1
        if left:
            self._taken[name] = left
        else:
            del self._taken[name]
