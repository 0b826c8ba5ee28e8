"""The main job against its marks: whole runs, their overhead, the command line, rest.

Run ``python -m benchmarks.main_job [--quick] [--json] [--only NAME …]``. What each figure means
stands in ``benchmarks/README.md``. 0 when every mark was met, 1 otherwise.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.command_line import ask_figure, help_figure
from benchmarks.contest import FULL, QUICK, alone_figures, in_flight_figures, take_turns
from benchmarks.contestant import ROOT, Contestant
from benchmarks.figure import Figure, table_of
from benchmarks.overhead import overhead_figures
from benchmarks.process_family import ProcessFamily
from benchmarks.promptbus_system import LAYOUTS, UP, PromptbusSystem, own_environment
from benchmarks.resting import idle_figure, memory_figures

NAMES = ("help", "ask", "idle", "memory", "alone", "in_flight", "autogen", "overhead")
_OF_THE_SYSTEM = frozenset({"idle", "memory", "alone", "in_flight", "autogen", "overhead"})
OURS, LANGGRAPH, AUTOGEN = "promptbus", "LangGraph with SQLite", "AutoGen gRPC"

err = Console(stderr=True, highlight=False)


class MainJob:
    """What was asked for, measured one figure after the other."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._wanted = frozenset(options.only or NAMES)
        self._quick: bool = options.quick
        self._effort = QUICK if options.quick else FULL
        self._layout: str = options.layout
        self._autogen_python: Path | None = options.autogen_python
        self._folder = folder

    def figures(self) -> Iterator[Figure]:
        """Everything that is wanted, as it is measured."""
        if "help" in self._wanted:
            yield help_figure(3 if self._quick else 10)
        if "ask" in self._wanted:
            yield ask_figure(1 if self._quick else 3)
        if self._wanted & _OF_THE_SYSTEM:
            with PromptbusSystem(self._folder / "data", self._layout) as system:
                yield from self._system_figures(system)

    def _system_figures(self, system: PromptbusSystem) -> Iterator[Figure]:
        runs = Contestant(OURS, _module("run_client"), self._log("runs"), system.environment())
        if "idle" in self._wanted:
            # The model must be there; a client that has come and gone has seen to that.
            with runs:
                pass
            settle_s, measured_s = (2.0, 5.0) if self._quick else (10.0, 20.0)
            yield idle_figure(system.family(), settle_s=settle_s, measured_s=measured_s)
        with runs:
            if "memory" in self._wanted:
                yield from memory_figures(system.family(), "after start")
            if self._wanted & {"alone", "in_flight"}:
                yield from self._langgraph_figures(system, runs)
            if "autogen" in self._wanted:
                yield from self._autogen_figures(system, runs)
            if "overhead" in self._wanted:
                with self._direct(system) as direct:
                    yield from overhead_figures(runs, direct, 10 if self._quick else 60)
            if "memory" in self._wanted:
                yield from memory_figures(system.family(), "at the end")

    def _langgraph_figures(self, system: PromptbusSystem, runs: Contestant) -> Iterator[Figure]:
        peer = Contestant(LANGGRAPH, _module("langgraph_peer"), self._log("langgraph"))
        with peer:
            contestants = (_cast(runs, system), _cast(peer))
            if "alone" in self._wanted:
                turns = take_turns(contestants, self._effort, 1)
                yield from alone_figures(turns, OURS, LANGGRAPH)
            if "in_flight" in self._wanted:
                turns = take_turns(contestants, self._effort, self._effort.in_flight)
                yield from in_flight_figures(turns, OURS, (LANGGRAPH,))

    def _autogen_figures(self, system: PromptbusSystem, runs: Contestant) -> Iterator[Figure]:
        python = self._autogen_python
        if python is None:
            yield Figure(
                name=f"runs/s, 64 in flight, against {AUTOGEN}",
                value="–",
                beside="no environment with AutoGen: name its python with --autogen-python",
                mark="≥ 1.5",
                met="skipped",
            )
            return
        argv = (str(python), "-m", "benchmarks.autogen_peer")
        env = own_environment() | {"PYTHONPATH": str(ROOT)}
        with Contestant(AUTOGEN, argv, self._log("autogen"), env) as peer:
            contestants = (_cast(runs, system), _cast(peer))
            turns = take_turns(contestants, self._effort, self._effort.in_flight)
            yield from in_flight_figures(turns, OURS, (AUTOGEN,))

    def _direct(self, system: PromptbusSystem) -> Contestant:
        argv = _module("direct_client")
        return Contestant("direct", argv, self._log("direct"), system.environment())

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def main() -> int:
    """Measure, print, tell whether the marks were met."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        job = MainJob(options, Path(folder))
        status = stack.enter_context(err.status("measuring"))
        figures = []
        for figure in job.figures():
            figures.append(figure)
            status.update(f"measuring; the latest: {figure.name} {figure.value}")
    if options.json:
        print(json.dumps({"machine": machine(), "figures": [asdict(one) for one in figures]}))
    else:
        console = Console(highlight=False)
        console.print(table_of(figures))
        console.print(f"\n{machine()}", style="dim")
    return 1 if any(figure.met == "not met" for figure in figures) else 0


def machine() -> str:
    """What these figures were measured on."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    gib = psutil.virtual_memory().total / (1 << 30)
    return (
        f"{os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load average at the end {load}"
    )


def _cast(
    contestant: Contestant, system: PromptbusSystem | None = None
) -> tuple[Contestant, ProcessFamily]:
    family = contestant.family
    return contestant, system.family() | family if system else family


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.{name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: a trial, no result")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", nargs="+", choices=NAMES, help="only these figures")
    parser.add_argument(
        "--layout",
        default=UP,
        help=f"{', '.join(LAYOUTS)}; or processes parted by commas, their actors by plus signs",
    )
    parser.add_argument(
        "--autogen-python", type=Path, help="a Python that has autogen-core and autogen-ext[grpc]"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
