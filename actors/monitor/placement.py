"""Which host shall serve which model, from what is asked for and what fits where; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from actors.monitor.reason import format_bytes
from actors.monitor.room import Fit, Room, Spot, find_report, is_pinned, needed_bytes
from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import HostReport, ModelReport

# A queue is long when more than so many wait for each slot there is.
MAX_WAITING_PER_SLOT: Final = 2

Preference: TypeAlias = tuple[bool, Fit, bool, bool, int, int, int, int, str]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision rests on.

    ``placements`` are those of living hosts; a host without one pulls for all it serves by itself.
    ``demand`` counts the outstanding generations of each model that is asked for (0: one is about
    to be), ``strategies`` says how some of them shall be run.
    """

    hosts: Sequence[HostReport]
    placements: Mapping[str, HostPlacement]
    demand: Mapping[str, int]
    strategies: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A model that fits nowhere, and what each host that serves it lacks."""

    needed_bytes: int
    shortfalls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Placements to be changed, by host, and the models that fit on no host."""

    placements: Mapping[str, HostPlacement]
    misfits: Mapping[str, Misfit]


def place(situation: Situation) -> Decision:
    """Place what is asked for and nobody holds, and what too many wait for on one more host.

    A model goes where it is on disk; among those hosts where it has memory for itself, else where
    models that nobody asks for can leave, else where it takes turns; then to an accelerator, to
    the device it fills best, to the host less is asked of. Pinned models and those asked for stay.
    The result does not depend on the order of hosts, and deciding again on it changes nothing.
    """
    draft = _Draft(situation)
    misfits: dict[str, Misfit] = {}
    changed = True
    while changed:
        changed = False
        for model in draft.demanded():
            if draft.is_served_unplaced(model):
                continue
            if draft.holders(model):
                changed |= draft.spread(model)
            elif draft.put(model, tuple(Fit)):
                changed = True
            else:
                misfits[model] = draft.misfit(model)
    return Decision(draft.changes(), misfits)


def holders_of(model: str, situation: Situation) -> list[str]:
    """The hosts that serve ``model`` as things stand: it is placed there, or needs no placement."""
    draft = _Draft(situation)
    unplaced = [host.host for host in situation.hosts if draft.serves_unplaced(host, model)]
    return sorted({*unplaced, *(host.host for host in draft.holders(model))})


class _Draft:
    """Placements while they are being decided."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._hosts = sorted(situation.hosts, key=lambda host: host.host)
        self._placed = {
            host.host: list(situation.placements[host.host].models)
            for host in self._hosts
            if host.host in situation.placements
        }
        self._reasons: dict[str, list[str]] = {name: [] for name in self._placed}

    def demanded(self) -> list[str]:
        """The models asked for that some host must load, the largest first."""
        needed = {
            model: max(needed_bytes(report) for _, report in offers)
            for model in self._situation.demand
            if (offers := self._offers(model))
        }
        return sorted(needed, key=lambda model: (-needed[model], model))

    def is_served_unplaced(self, model: str) -> bool:
        """Whether some host serves ``model`` though nobody placed it there."""
        return any(self.serves_unplaced(host, model) for host in self._hosts)

    def serves_unplaced(self, host: HostReport, model: str) -> bool:
        """Whether ``host`` needs no placement to serve ``model``."""
        report = find_report(host, model)
        return report is not None and (host.host not in self._placed or not report.needs_memory)

    def holders(self, model: str) -> list[HostReport]:
        """The hosts where ``model`` is placed and could be resident."""
        return [host for host, report in self._offers(model) if self._holds(host, report)]

    def spread(self, model: str) -> bool:
        """Place ``model`` on more hosts while too many wait for it; whether any was found.

        Only where it is on disk: a download would come too late.
        """
        changed = False
        fits = (Fit.FREE, Fit.IDLE)
        while self._is_short_of_hosts(model) and self.put(model, fits, only_on_disk=True):
            changed = True
        return changed

    def put(self, model: str, fits: Iterable[Fit], *, only_on_disk: bool = False) -> bool:
        """Place ``model`` on the best host that does not hold it; False where there is none."""
        allowed = tuple(fits)
        found: list[tuple[Preference, HostReport, ModelReport, Spot]] = []
        for host, report in self._offers(model):
            if self._find(host, model) is not None or (only_on_disk and not report.available):
                continue
            spot = self._room(host).spot_for(report, self._idle(host))
            if spot is not None and spot.fit in allowed:
                found.append((self._preference(host, report, spot), host, report, spot))
        if not found:
            return False
        _, host, report, spot = min(found, key=lambda item: item[0])
        self._change(host, report, spot)
        return True

    def misfit(self, model: str) -> Misfit:
        """What each host lacks to hold ``model``, though all but pinned models left it."""
        lacking = []
        for host, report in self._offers(model):
            needed = needed_bytes(report)
            most = self._room(host).capacity_bytes
            lacking.append(
                f"{host.host} lacks {format_bytes(needed - most)} of {format_bytes(needed)}"
            )
        least = min(needed_bytes(report) for _, report in self._offers(model))
        return Misfit(least, tuple(lacking))

    def changes(self) -> dict[str, HostPlacement]:
        """The placements that differ from those there were."""
        return {
            name: HostPlacement(
                host=name, models=tuple(models), reason="; ".join(self._reasons[name])
            )
            for name, models in self._placed.items()
            if tuple(models) != self._situation.placements[name].models
        }

    def _offers(self, model: str) -> list[tuple[HostReport, ModelReport]]:
        """The hosts whose placements are decided and that could serve ``model``."""
        reports = [(host, find_report(host, model)) for host in self._hosts]
        return [
            (host, report)
            for host, report in reports
            if report is not None and (report.needs_memory and host.host in self._placed)
        ]

    def _holds(self, host: HostReport, report: ModelReport) -> bool:
        placed = self._find(host, report.model)
        if placed is None:
            return False
        fits = needed_bytes(report) <= self._room(host).capacity_bytes
        return fits or is_pinned(host, placed)

    def _find(self, host: HostReport, model: str) -> PlacedModel | None:
        return next((one for one in self._placed[host.host] if one.model == model), None)

    def _room(self, host: HostReport) -> Room:
        return Room(host, self._placed[host.host])

    def _is_short_of_hosts(self, model: str) -> bool:
        """Whether too many wait for each slot, or for a turn, and no load is to change that."""
        slots, only_turns = 0, True
        for host, report in self._offers(model):
            if not self._holds(host, report):
                continue
            own = self._room(host).holds_for_itself(model)
            if own and not report.resident:
                # It is on its way there; how many it serves at a time is not known before.
                return False
            only_turns &= not report.resident
            slots += max(1, report.slots)
        demand = self._situation.demand[model]
        return demand - slots > MAX_WAITING_PER_SLOT * slots or (only_turns and demand > 0)

    def _idle(self, host: HostReport) -> list[str]:
        """Models placed on ``host`` that may go, in the order in which they would."""
        idle: list[tuple[bool, bool, int, str]] = []
        for placed in self._placed[host.host]:
            report = find_report(host, placed.model)
            busy = report is not None and report.num_running + report.num_waiting > 0
            if placed.model in self._situation.demand or busy or is_pinned(host, placed):
                continue
            alone = len(self.holders(placed.model)) < 2  # noqa: PLR2004 - the last of its kind
            size = needed_bytes(report) if report else 0
            idle.append((alone, report is not None and report.resident, -size, placed.model))
        return [model for *_, model in sorted(idle)]

    def _preference(self, host: HostReport, report: ModelReport, spot: Spot) -> Preference:
        asked = sum(self._situation.demand.get(one.model, 0) for one in self._placed[host.host])
        return (
            not report.available,
            spot.fit,
            not (report.resident or report.loading is not None),
            spot.on_cpu,
            len(spot.leaving),
            asked if spot.fit is Fit.TURNS else 0,
            spot.spare_bytes,
            asked,
            host.host,
        )

    def _change(self, host: HostReport, report: ModelReport, spot: Spot) -> None:
        others = self.holders(report.model)
        strategy = self._strategy(report, others)
        models = [one for one in self._placed[host.host] if one.model not in spot.leaving]
        models.append(PlacedModel(model=report.model, strategy=strategy, pinned=report.pinned))
        self._placed[host.host] = models
        also = f"; {self._situation.demand[report.model]} are asked of it" if others else ""
        self._reasons[host.host].append(f"{report.model} {_where(spot)}{also}")

    def _strategy(self, report: ModelReport, holders: Sequence[HostReport]) -> str:
        held = [self._find(host, report.model) for host in holders]
        wishes = (
            self._situation.strategies.get(report.model),
            report.resident_strategy,
            *(placed.strategy for placed in held if placed is not None),
        )
        known = (wish for wish in wishes if wish in report.strategies)
        return next((wish for wish in known if wish is not None), report.default_strategy)


def _where(spot: Spot) -> str:
    if spot.fit is Fit.IDLE:
        return f"in place of {', '.join(spot.leaving)}, which nobody asks for"
    if spot.fit is Fit.TURNS:
        return "takes turns with the others"
    where = " and ".join(spot.devices) or "as it is"
    return f"fits {where} with {format_bytes(spot.spare_bytes)} to spare"
