"""Runs of promptbus against runs of its peers, in turns, so that the machine's drift hits all."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.contestant import Batch, Contestant
from benchmarks.figure import Figure, judged
from benchmarks.measure import Comparison, compare, p50, p95
from benchmarks.process_family import ProcessFamily, spent_s

MAX_LATENCY_RATIO = 1.3
MIN_THROUGHPUT_RATIO = 1.5
# After a batch the history and the span stream still work on it; that is CPU of these runs.
AFTERMATH_S = 0.7


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: ``num_rounds`` turns of each contestant."""

    num_rounds: int
    num_alone: int
    num_in_flight: int
    in_flight: int = 64


FULL = Effort(num_rounds=7, num_alone=60, num_in_flight=600)
QUICK = Effort(num_rounds=2, num_alone=20, num_in_flight=128)


@dataclass(frozen=True, slots=True)
class Turn:
    """One batch and the CPU milliseconds a run took, by process."""

    batch: Batch
    cpu_ms: Mapping[str, float]


Turns = Mapping[str, Sequence[Turn]]


def take_turns(
    contestants: Sequence[tuple[Contestant, ProcessFamily]], effort: Effort, in_flight: int
) -> Turns:
    """Batches of all contestants in turns, after one that warms each of them up."""
    num = effort.num_alone if in_flight == 1 else effort.num_in_flight
    turns: dict[str, list[Turn]] = defaultdict(list)
    for contestant, _ in contestants:
        contestant.do("run", max(10, num // 5), in_flight)
    for number in range(effort.num_rounds):
        # Whoever comes first may find a cooler machine, so the order changes.
        order = contestants if number % 2 == 0 else contestants[::-1]
        for contestant, family in order:
            time.sleep(AFTERMATH_S)
            turns[contestant.name].append(_turn(contestant, family, num, in_flight))
    return turns


def alone_figures(turns: Turns, ours: str, peer: str) -> list[Figure]:
    """A run at a time: accepted until its outcome is stored, against a run of the peer."""
    theirs = [p50(turn.batch.times_ms["run"]) for turn in turns[peer]]
    accepted = compare([p50(turn.batch.times_ms["accepted"]) for turn in turns[ours]], theirs)
    submitted = compare([p50(turn.batch.times_ms["submitted"]) for turn in turns[ours]], theirs)
    slow = p95([time for turn in turns[ours] for time in turn.batch.times_ms["accepted"]])
    return [
        Figure(
            name="a run, accepted to outcome, p50",
            value=f"{accepted.ours:.1f} ms (p95 {slow:.1f})",
            beside=f"{peer} {accepted.theirs:.1f} ms",
            ratio=_ratio(accepted),
            mark=f"≤ {MAX_LATENCY_RATIO}",
            met=judged(holds=accepted.ratio <= MAX_LATENCY_RATIO),
        ),
        Figure(
            name="a run, submitted to outcome, p50",
            value=f"{submitted.ours:.1f} ms",
            beside=f"{peer} {submitted.theirs:.1f} ms",
            ratio=_ratio(submitted),
        ),
        *_cpu_figures(turns, "alone"),
    ]


def in_flight_figures(turns: Turns, ours: str, peers: Sequence[str]) -> list[Figure]:
    """Runs per second with many in flight, against each peer."""
    mine = [turn.batch.per_s for turn in turns[ours]]
    found = []
    for peer in peers:
        rates = compare(mine, [turn.batch.per_s for turn in turns[peer]])
        found.append(
            Figure(
                name=f"runs/s, 64 in flight, against {peer}",
                value=f"{rates.ours:.0f}/s",
                beside=f"{peer} {rates.theirs:.0f}/s",
                ratio=_ratio(rates),
                mark=f"≥ {MIN_THROUGHPUT_RATIO}",
                met=judged(holds=rates.ratio >= MIN_THROUGHPUT_RATIO),
            )
        )
    return [*found, *_cpu_figures(turns, "64 in flight")]


def _turn(contestant: Contestant, family: ProcessFamily, num: int, in_flight: int) -> Turn:
    before = family.cpu_s()
    batch = contestant.do("run", num, in_flight)
    time.sleep(AFTERMATH_S)
    spent = spent_s(before, family.cpu_s())
    return Turn(batch, {name: cpu_s * 1000 / num for name, cpu_s in spent.items()})


def _cpu_figures(turns: Turns, when: str) -> list[Figure]:
    found = []
    for name, taken in turns.items():
        parts = {part: p50([turn.cpu_ms[part] for turn in taken]) for part in taken[0].cpu_ms}
        detail = ", ".join(f"{part} {cpu_ms:.1f}" for part, cpu_ms in parts.items())
        found.append(
            Figure(
                name=f"CPU of a run, {when}, {name}",
                value=f"{sum(parts.values()):.1f} ms",
                beside=detail if len(parts) > 1 else "",
            )
        )
    return found


def _ratio(comparison: Comparison) -> str:
    spread = f"{comparison.lowest_ratio:.2f} to {comparison.highest_ratio:.2f}"
    return f"{comparison.ratio:.2f} ({spread})"
