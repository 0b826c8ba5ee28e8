"""How full the streams are, and what follows from it; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# From here on a person should do something about it.
ALARM_FRACTION: Final = 0.7
# From here on new prompts are refused, so that the runs that were accepted have room to end.
CLOSED_FRACTION: Final = 0.95


@dataclass(frozen=True, slots=True)
class StreamUsage:
    """What one stream holds and may hold, in bytes; ``keeps_all`` where nothing old is dropped."""

    name: str
    size_bytes: int
    max_bytes: int
    keeps_all: bool = True

    @property
    def fraction(self) -> float:
        """How full it is; 0 where it has no limit."""
        return self.size_bytes / self.max_bytes if self.max_bytes > 0 else 0.0

    def describe(self) -> str:
        """``RUNS is 73 % full, 11.7 of 16.0 GiB``."""
        gib = 1 << 30
        percent = int(self.fraction * 100)
        sizes = f"{self.size_bytes / gib:.1f} of {self.max_bytes / gib:.1f} GiB"
        return f"{self.name} is {percent} % full, {sizes}"


def alarms(usages: Iterable[StreamUsage]) -> tuple[StreamUsage, ...]:
    """Those that are nearly full and will refuse instead of forgetting, the fullest first."""
    found = [one for one in usages if one.keeps_all and one.fraction >= ALARM_FRACTION]
    return tuple(sorted(found, key=lambda one: -one.fraction))


def first_closed(usages: Iterable[StreamUsage], needed: Iterable[str]) -> StreamUsage | None:
    """The fullest of the ``needed`` streams that has no room for another run."""
    names = frozenset(needed)
    full = [one for one in alarms(usages) if one.name in names]
    return next((one for one in full if one.fraction >= CLOSED_FRACTION), None)
