"""Medians of what was measured, and how two contestants of one run compare."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two contestants over the same rounds: median of each, and of the rounds' ratios.

    The speed of a shared machine drifts, so ``ratio`` (ours over theirs) is taken within each
    round; it need not equal the quotient of the two medians.
    """

    ours: float
    theirs: float
    ratio: float
    lowest_ratio: float
    highest_ratio: float


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Comparison:
    """Compare one figure per round of each contestant."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Comparison(
        ours=statistics.median(ours),
        theirs=statistics.median(theirs),
        ratio=statistics.median(ratios),
        lowest_ratio=min(ratios),
        highest_ratio=max(ratios),
    )


def p50(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 stay below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
