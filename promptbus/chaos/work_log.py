"""Which work was begun, by whom and why, read from what the actors' processes say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_BEGINS = re.compile(
    r"^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) INFO +actors\.task_server: "
    r"begins (?P<step>\S+) of (?P<run_id>[0-9a-f]{32}), "
    r"delivery (?P<delivery>\d+), ask (?P<ask>\d+) of (?P<asker>\S+)$"
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that somebody began to work on, at a time in seconds since the epoch."""

    at_s: float
    member: str
    run_id: str
    step: str
    delivery: int
    ask: int
    asker: str


def read_work_log(member: str, path: Path) -> Iterator[Begun]:
    """Every beginning in that log, in order; other lines are passed over."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            found = _BEGINS.match(line)
            if found is not None:
                yield Begun(
                    at_s=datetime.strptime(found["at"], "%Y-%m-%d %H:%M:%S,%f")
                    .astimezone()
                    .timestamp(),
                    member=member,
                    run_id=found["run_id"],
                    step=found["step"],
                    delivery=int(found["delivery"]),
                    ask=int(found["ask"]),
                    asker=found["asker"],
                )
