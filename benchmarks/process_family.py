"""What processes cost: CPU seconds and resident memory, by the part each of them plays."""

from collections import defaultdict
from collections.abc import Mapping

import psutil

MIB = 1 << 20


class ProcessFamily:
    """Processes by name; the children of each, whatever they are, are counted apart.

    ``names`` maps a process id to its part. A child is named after its command: actors and
    nats-server by what they are, anything else after its parent.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._members: list[tuple[str, psutil.Process]] = []
        for pid, name in names.items():
            process = psutil.Process(pid)
            self._members.append((name, process))
            for child in process.children(recursive=True):
                if child.pid not in names:
                    self._members.append((_part(child, name), child))

    def __or__(self, other: "ProcessFamily") -> "ProcessFamily":
        both = ProcessFamily({})
        both._members = [*self._members, *other._members]
        return both

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds of each part so far, user and system."""
        found: dict[str, float] = defaultdict(float)
        for name, process in self._members:
            times = process.cpu_times()
            found[name] += times.user + times.system
        return dict(found)

    def rss_mib(self) -> dict[str, float]:
        """Resident memory of each part."""
        found: dict[str, float] = defaultdict(float)
        for name, process in self._members:
            found[name] += process.memory_info().rss / MIB
        return dict(found)


def spent_s(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds between two readings."""
    return {name: after[name] - before[name] for name in after}


def _part(child: psutil.Process, parent: str) -> str:
    command = child.cmdline()
    if command and command[0].endswith("nats-server"):
        return "nats-server"
    if command[-2:-1] == ["actor"]:
        return command[-1]
    return f"{parent} child"
