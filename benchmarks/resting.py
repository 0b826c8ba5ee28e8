"""What promptbus costs while nobody asks anything."""

import time

from benchmarks.figure import Figure, judged
from benchmarks.process_family import ProcessFamily, spent_s

MAX_IDLE_SHARE = 0.03


def idle_figure(family: ProcessFamily, *, settle_s: float, measured_s: float) -> Figure:
    """CPU of all processes at rest, as a share of one core."""
    time.sleep(settle_s)
    before, started = family.cpu_s(), time.perf_counter()
    time.sleep(measured_s)
    spent = spent_s(before, family.cpu_s())
    shares = {name: cpu_s / (time.perf_counter() - started) for name, cpu_s in spent.items()}
    total = sum(shares.values())
    return Figure(
        name="CPU at rest, share of a core",
        value=f"{total:.1%}",
        beside=", ".join(f"{name} {share:.1%}" for name, share in shares.items()),
        mark=f"< {MAX_IDLE_SHARE:.0%}",
        met=judged(holds=total < MAX_IDLE_SHARE),
    )


def memory_figures(family: ProcessFamily, when: str) -> list[Figure]:
    """Resident memory of each process."""
    return [
        Figure(name=f"memory {when}, {name}", value=f"{mib:.0f} MiB")
        for name, mib in family.rss_mib().items()
    ]
