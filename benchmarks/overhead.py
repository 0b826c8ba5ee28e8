"""What leading a run adds to generating, with the built-in model."""

from benchmarks.contestant import Contestant
from benchmarks.figure import Figure, judged
from benchmarks.measure import p50

MAX_OVERHEAD_MS = 30.0


def overhead_figures(runs: Contestant, direct: Contestant, num: int) -> list[Figure]:
    """Whole runs and direct generations of the same prompt, in turns."""
    runs.do("pocket_run", 5)
    direct.do("direct", 5)
    over_gateway, over_direct, over_bus = [], [], []
    totals, directs, generations = [], [], []
    for _ in range(num):
        whole = {name: times[0] for name, times in runs.do("pocket_run", 1).times_ms.items()}
        alone = {name: times[0] for name, times in direct.do("direct", 1).times_ms.items()}
        totals.append(whole["accepted"])
        directs.append(alone["direct"])
        generations.append(whole["generation"])
        over_gateway.append(whole["accepted"] - whole["generation"])
        over_direct.append(whole["submitted"] - alone["direct"])
        over_bus.append(alone["direct"] - alone["generation"])
    return [
        Figure(
            name="overhead of a run over the gateway, pocket, p50",
            value=f"{p50(over_gateway):.1f} ms",
            beside=f"run {p50(totals):.1f} ms, gateway {p50(generations):.1f} ms",
            mark=f"< {MAX_OVERHEAD_MS:g} ms",
            met=judged(holds=p50(over_gateway) < MAX_OVERHEAD_MS),
        ),
        Figure(
            name="overhead of a run over a direct generation, pocket, p50",
            value=f"{p50(over_direct):.1f} ms",
            beside=f"direct {p50(directs):.1f} ms",
            mark=f"< {MAX_OVERHEAD_MS:g} ms",
            met=judged(holds=p50(over_direct) < MAX_OVERHEAD_MS),
        ),
        Figure(
            name="overhead of a direct generation over the gateway, p50",
            value=f"{p50(over_bus):.1f} ms",
        ),
    ]
