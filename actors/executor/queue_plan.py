"""Which queues an executor serves, how much it takes from each, and what it loads ahead; pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import HostReport, ModelReport
from contracts.prompt import Priority

# Generations taken per slot: enough that a slot never waits for the next one, few enough that
# other executors find work in the queue. Those a person waits for are taken first and told where
# they stand.
TAKEN_PER_SLOT: Final[Mapping[Priority, int]] = {
    Priority.INTERACTIVE: 4,
    Priority.NORMAL: 2,
    Priority.BATCH: 2,
}
# Loaded for a preloaded model: it warms up, and the other strategies then find it warm.
WARMED_UP: Final = "streaming"


def plan_queues(
    models: Iterable[ModelReport], placement: HostPlacement, max_in_flight: int
) -> dict[tuple[str, Priority], int]:
    """The queues to serve, and how many generations of each may be in hand at a time.

    A model is served where it is placed, or where it needs no memory.
    """
    return {
        (report.model, priority): _num_taken(report, priority, max_in_flight)
        for report in models
        if not report.needs_memory or placement.find(report.model) is not None
        for priority in Priority
    }


def merge_preloads(
    found: HostPlacement | None, host: str, models: Sequence[ModelReport], preload: Sequence[str]
) -> HostPlacement:
    """What ``found`` says, without models that are no longer served and with those to preload."""
    reports = {report.model: report for report in models if report.needs_memory}
    kept = found.models if found is not None else ()
    placed = [one for one in kept if one.model in reports]
    known = {one.model for one in placed}
    for model in dict.fromkeys(preload):
        if model in reports and model not in known:
            placed.append(_preloaded(reports[model]))
    return HostPlacement(host=host, models=tuple(placed), reason="what it begins with")


def to_unload(models: Iterable[ModelReport], taken_away: Collection[str]) -> tuple[str, ...]:
    """Those of ``taken_away`` that hold memory and may leave.

    What else is resident unplaced was loaded as a fallback; the host evicts it when it must.
    """
    return tuple(
        report.model
        for report in models
        if report.model in taken_away and report.resident_strategy is not None and not report.pinned
    )


def fits_free_memory(host: HostReport, model: str) -> bool:
    """Whether ``model`` can be loaded without anything else leaving."""
    report = next((one for one in host.models if one.model == model), None)
    needed = report.size_bytes if report is not None else None
    if needed is None:
        return True
    return any(device.free_bytes >= needed for device in host.devices)


def _num_taken(report: ModelReport, priority: Priority, max_in_flight: int) -> int:
    if not report.needs_memory:
        return max_in_flight
    return min(max_in_flight, TAKEN_PER_SLOT[priority] * max(1, report.slots))


def _preloaded(report: ModelReport) -> PlacedModel:
    warm = WARMED_UP in report.strategies
    strategy = WARMED_UP if warm else report.default_strategy
    return PlacedModel(model=report.model, strategy=strategy, pinned=report.pinned)
