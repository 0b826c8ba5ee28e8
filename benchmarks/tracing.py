"""What tracing costs: two whole systems, one with spans and one without, measured in turns.

    python -m benchmarks.tracing [--rounds 12] [--num 300] [--in-flight 32]

The throughput of full ``echo`` runs, and the CPU seconds of all processes a run. Both systems are
up all the time; the one whose turn it is not does nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contestant import Contestant
from benchmarks.figure import Figure, judged, table_of
from benchmarks.measure import compare
from benchmarks.process_family import ProcessFamily, spent_s
from benchmarks.promptbus_system import PromptbusSystem
from promptbus.cli.shell import out

MAX_COST = 0.15
_OFF: Mapping[str, str] = {"OTEL_SDK_DISABLED": "true"}


@dataclass
class Side:
    """One system and what was measured of it."""

    name: str
    runs: Contestant
    family: ProcessFamily
    per_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def measure(self, num: int, in_flight: int) -> None:
        """One round."""
        before = self.family.cpu_s()
        self.per_s.append(self.runs.do("run", num, in_flight).per_s)
        spent = spent_s(before, self.family.cpu_s())
        self.cpu_ms.append(sum(spent.values()) / num * 1000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--num", type=int, default=300)
    parser.add_argument("--in-flight", type=int, default=32)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        on = _start(stack, Path(folder), "on", {})
        off = _start(stack, Path(folder), "off", _OFF)
        for side in (on, off):
            side.runs.do("run", chosen.num, chosen.in_flight)
        for number in range(chosen.rounds):
            # Whoever comes second finds caches as the first left them.
            for side in (on, off) if number % 2 else (off, on):
                side.measure(chosen.num, chosen.in_flight)
        out.print(table_of(_figures(on, off)))


def _start(stack: ExitStack, folder: Path, name: str, variables: Mapping[str, str]) -> Side:
    system = stack.enter_context(PromptbusSystem(folder / name, variables=variables))
    argv = (sys.executable, "-m", "benchmarks.run_client")
    runs = stack.enter_context(Contestant(name, argv, folder / f"{name}.log", system.environment()))
    return Side(name, runs, system.family() | runs.family)


def _figures(on: Side, off: Side) -> list[Figure]:
    rate = compare(on.per_s, off.per_s)
    cpu = compare(on.cpu_ms, off.cpu_ms)
    return [
        Figure(
            name="full echo runs with spans over those without",
            value=f"{rate.ours:.0f}/s",
            beside=f"{rate.theirs:.0f}/s without",
            ratio=f"{rate.ratio:.3f} [{rate.lowest_ratio:.2f}, {rate.highest_ratio:.2f}]",
            mark=f"> {1 - MAX_COST:g}",
            met=judged(holds=rate.ratio > 1 - MAX_COST),
        ),
        Figure(
            name="CPU of a run with spans over one without",
            value=f"{cpu.ours:.2f} ms",
            beside=f"{cpu.theirs:.2f} ms without",
            ratio=f"{cpu.ratio:.3f} [{cpu.lowest_ratio:.2f}, {cpu.highest_ratio:.2f}]",
        ),
    ]


if __name__ == "__main__":
    main()
