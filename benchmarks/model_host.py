"""Generation through the bus, held against transformers alone and ``transformers serve``.

Run: ``python -m benchmarks.model_host [--rounds 3] [--sizes 100M]``. All contestants are processes
that wait while another one works; they take turns within each round, because the speed of a shared
machine drifts, and ratios are taken within rounds. What no mark is about is measured in the first
round only. What it is doing goes to stderr. 0 when every mark was met, 1 otherwise.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from benchmarks.contestant import Contestant
from benchmarks.figure import Figure, judged, table_of
from benchmarks.generation_work import EQUAL, MIXED
from benchmarks.main_job import machine
from benchmarks.measure import compare, p50
from benchmarks.promptbus_system import PromptbusSystem, own_environment
from benchmarks.random_llama import LARGE, SMALL, RandomLlama, save_random_llama

MODEL = "random"
# Which way is held against which, and the least ratio of tokens per second.
MARKS: Sequence[tuple[str, str, float]] = (
    ("standard", "bare", 0.97),
    ("standard", "serve", 1.0),
    ("standard_mixed", "static_mixed", 1.0),
    ("standard", "sequential", 4.0),
    ("optimized", "standard", 1.5),
)
MARKED = {name for ours, theirs, _ in MARKS for name in (ours, theirs)}
MAX_FIRST_TOKEN_MS = 15.0
MAX_LOAD_RATIO = 1.2
LOADS = {"load": "load, weights read", "load_first": "load and first token"}
NUM_LATENCIES = 20
NAMES = {
    "standard": "through the bus",
    "standard_mixed": "through the bus, mixed lengths",
    "optimized": "through the bus, optimized",
    "optimized_mixed": "through the bus, optimized, mixed lengths",
    "bare": "bare manager",
    "bare_mixed": "bare manager, mixed lengths",
    "serve": "transformers serve",
    "serve_mixed": "transformers serve, mixed lengths",
    "static": "static batch",
    "static_mixed": "static batch, mixed lengths",
    "sequential": "sequential generate",
}


def measure(size: RandomLlama, rounds: int, num_threads: int, folder: Path) -> Iterator[Figure]:
    """All figures of one size of model."""
    checkpoint = folder / "checkpoint"
    save_random_llama(size, checkpoint)
    models = folder / "models.toml"
    models.write_text(f'[models.{MODEL}]\nsource = "{checkpoint}"\n', encoding="utf-8")
    variables = {
        "PROMPTBUS_MODELS_FILE": str(models),
        "PROMPTBUS_DEFAULT_MODEL": MODEL,
        "PROMPTBUS_PRELOAD": MODEL,
    }
    with ExitStack() as stack:
        say = _Progress(size.name)
        say("starting")
        system = stack.enter_context(PromptbusSystem(folder / "data", variables=variables))
        own = own_environment()

        def contestant(module: str, *argv: str, env: dict[str, str]) -> Contestant:
            command = (sys.executable, "-m", f"benchmarks.{module}", *argv)
            log = folder / f"{module}-{Path(argv[0]).name}.log"
            return stack.enter_context(Contestant(module, command, log, env))

        ours = contestant("generation_client", MODEL, env=system.environment())
        plain = contestant("generation_peer", str(checkpoint), str(num_threads), env=own)
        served = contestant("serve_peer", str(checkpoint), str(num_threads), env=own)
        speeds = _speeds(_ways(ours, plain, served), rounds, say)
        yield from _speed_figures(size, speeds)
        say("first tokens")
        yield from _latency_figures(size, ours, plain)
        say("loads")
        loading = [
            contestant("generation_load", side, str(checkpoint), str(num_threads), env=own)
            for side in ("ours", "plain")
        ]
        yield from _load_figures(size, *loading)
        say("done")


class _Progress:
    """Says on stderr what is being measured, and since when."""

    def __init__(self, size: str) -> None:
        self._size = size
        self._began_s = time.monotonic()

    def __call__(self, what: str) -> None:
        """``what`` begins now."""
        print(f"{time.monotonic() - self._began_s:4.0f} s  {self._size}: {what}", file=sys.stderr)


def _ways(ours: Contestant, plain: Contestant, served: Contestant) -> dict[str, Contestant]:
    owners = {"standard": ours, "optimized": ours, "serve": served}
    return {name: owners.get(name.removesuffix("_mixed"), plain) for name in NAMES}


def _speeds(ways: dict[str, Contestant], rounds: int, say: "_Progress") -> dict[str, list[float]]:
    """Tokens per second of each way, by round."""
    say("warming up")
    for name, contestant in ways.items():
        if not name.endswith("_mixed"):
            contestant.do(f"{name}_warm", 1)
    speeds: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        # The order turns, so that no way always follows the same one.
        names = list(ways)[number % len(ways) :] + list(ways)[: number % len(ways)]
        for name in names:
            if number == 0 or name in MARKED:
                work = MIXED if name.endswith("_mixed") else EQUAL
                took_ms = ways[name].do(name, 1).times_ms[name][0]
                speeds[name].append(work.num_tokens / took_ms * 1000)
    return speeds


def _speed_figures(size: RandomLlama, speeds: dict[str, list[float]]) -> Iterator[Figure]:
    marked = {(ours, theirs): least for ours, theirs, least in MARKS}
    for (ours, theirs), least in marked.items():
        found = compare(speeds[ours], speeds[theirs])
        yield Figure(
            name=f"{size.name}, {NAMES[ours]}",
            value=f"{found.ours:.0f} tokens/s",
            beside=f"{NAMES[theirs]} {found.theirs:.0f}",
            ratio=f"{found.ratio:.2f} ({found.lowest_ratio:.2f} to {found.highest_ratio:.2f})",
            mark=f"≥ {least:g}",
            met=judged(holds=found.ratio >= least),
        )
    for key, name in NAMES.items():
        yield Figure(f"{size.name}, {name}", f"{p50(speeds[key]):.0f} tokens/s")


def _latency_figures(size: RandomLlama, ours: Contestant, plain: Contestant) -> Iterator[Figure]:
    firsts, theirs, loads = [], [], []
    ours.do("first", 2)
    plain.do("first", 2)
    for _ in range(NUM_LATENCIES):
        times = ours.do("first", 1).times_ms
        firsts.append(times["first"][0])
        loads.append(times["load_time"][0])
        theirs.append(plain.do("first", 1).times_ms["first"][0])
    over_ms = p50([mine - other for mine, other in zip(firsts, theirs, strict=True)])
    yield Figure(
        name=f"{size.name}, first token through the bus, p50",
        value=f"{p50(firsts):.1f} ms",
        beside=f"in-process streamer {p50(theirs):.1f} ms, over it {over_ms:.1f} ms",
        mark=f"≤ {MAX_FIRST_TOKEN_MS:g} ms over",
        met=judged(holds=over_ms <= MAX_FIRST_TOKEN_MS),
    )
    yield Figure(
        name=f"{size.name}, load time of a resident model",
        value=f"{max(loads):.0f} ms",
        mark="0",
        met=judged(holds=max(loads) == 0),
    )


def _load_figures(size: RandomLlama, ours: Contestant, plain: Contestant) -> Iterator[Figure]:
    """Loads of a checkpoint that the page cache holds, by a process that has loaded it before."""
    sides = (ours, plain)
    for side in sides:
        side.do("load", 2)
    turns = [[side.do("load", 1).times_ms for side in sides] for _ in range(NUM_LATENCIES)]
    for key, name in LOADS.items():
        found = compare(*([turn[at][key][0] for turn in turns] for at in (0, 1)))
        # Of a model so small the load is next to nothing, and the set-up of the engine all.
        is_marked = size is LARGE
        yield Figure(
            name=f"{size.name}, {name}",
            value=f"{found.ours:.0f} ms",
            beside=f"from_pretrained {found.theirs:.0f} ms",
            ratio=f"{found.ratio:.2f} ({found.lowest_ratio:.2f} to {found.highest_ratio:.2f})",
            mark=f"≤ {MAX_LOAD_RATIO:g}" if is_marked else "",
            met=judged(holds=found.ratio <= MAX_LOAD_RATIO) if is_marked else "for information",
        )


def main() -> int:
    """Measure, print, tell whether the marks were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", nargs="*", default=[SMALL.name, LARGE.name])
    options = parser.parse_args()
    figures: list[Figure] = []
    for size in (SMALL, LARGE):
        if size.name in options.sizes:
            with tempfile.TemporaryDirectory() as folder:
                figures += measure(size, options.rounds, options.threads, Path(folder))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(table_of(figures))
    console.print(f"\n{machine()}", style="dim")
    return 1 if any(figure.met == "not met" for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
