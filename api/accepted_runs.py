"""Runs this process has accepted, so that one no coordinator leads yet is not called unknown."""

from collections import OrderedDict


class AcceptedRuns:
    """The ids of the last ``max_runs`` runs; the oldest is forgotten first."""

    def __init__(self, max_runs: int) -> None:
        self._max_runs = max_runs
        self._run_ids: OrderedDict[str, None] = OrderedDict()

    def add(self, run_id: str) -> None:
        """Remember a run whose acceptance was acknowledged."""
        self._run_ids[run_id] = None
        if len(self._run_ids) > self._max_runs:
            self._run_ids.popitem(last=False)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._run_ids
