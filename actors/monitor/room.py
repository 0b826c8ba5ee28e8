"""The room of one host: which of its placed models share its memory, and what else fits; pure.

It follows the rule of the hosts themselves: a model goes to one accelerator, else to several
together, and to the CPU only where it would not fit the accelerators if all but pinned models had
left them. Placed models are packed so: those that may never leave first, then those that are
resident, then the larger ones. What finds no room takes turns with the others and holds none for
itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from contracts.placement import PlacedModel
from contracts.presence import HostReport, ModelReport


class Fit(IntEnum):
    """How a model finds its memory on a host; the lower the better."""

    FREE = 0  # no placed model wants it
    IDLE = 1  # once models that nobody asks for are no longer placed
    TURNS = 2  # when the others have left for a while


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a model: ``spare_bytes`` are left on ``devices``, ``leaving`` go for it."""

    fit: Fit
    devices: tuple[str, ...]
    spare_bytes: int
    on_cpu: bool
    leaving: tuple[str, ...] = ()


class Room:
    """What ``placed`` leaves of the memory of ``host``."""

    def __init__(self, host: HostReport, placed: Sequence[PlacedModel]) -> None:
        self._host = host
        self._placed = tuple(placed)
        self._gpus = tuple(sorted(one.name for one in host.devices if one.kind != "cpu"))
        self._cpus = tuple(sorted(one.name for one in host.devices if one.kind == "cpu"))
        totals = {device.name: device.total_bytes for device in host.devices}
        pinned = [one for one in self._placed if is_pinned(host, one)]
        self._lasting, self._keeping = self._pack(pinned, totals, self._gpu_bytes(totals))
        self._gpu_limit = self._gpu_bytes(self._lasting)

    @property
    def capacity_bytes(self) -> int:
        """The largest model it can hold, pinned ones aside."""
        cpu = max((self._lasting[name] for name in self._cpus), default=0)
        return max(self._gpu_limit, cpu)

    def holds_for_itself(self, model: str) -> bool:
        """Whether the placed ``model`` has memory of its own, and need not take turns."""
        return model in self._keeping or model in self._pack_others(())[1]

    def spot_for(self, model: ModelReport, idle: Iterable[str]) -> Spot | None:
        """The best place for ``model``, for which ``idle`` may leave; None where it never fits."""
        needed = needed_bytes(model)
        free = self._spot(Fit.FREE, needed, self._free_without(()))
        if free is not None:
            return free
        leaving = self._least_leaving(needed, tuple(idle))
        if leaving:
            return self._spot(Fit.IDLE, needed, self._free_without(leaving), leaving)
        return self._spot(Fit.TURNS, needed, self._lasting)

    def _least_leaving(self, needed: int, idle: Sequence[str]) -> tuple[str, ...]:
        """The first of ``idle`` that make room, without those whose leaving does not matter."""
        leaving: list[str] = []
        for model in idle:
            leaving.append(model)
            if self._makes_room(leaving, needed):
                break
        else:
            return ()
        for model in tuple(leaving):
            fewer = [other for other in leaving if other != model]
            if self._makes_room(fewer, needed):
                leaving = fewer
        return tuple(leaving)

    def _makes_room(self, leaving: Sequence[str], needed: int) -> bool:
        return self._spot(Fit.IDLE, needed, self._free_without(leaving)) is not None

    def _free_without(self, leaving: Sequence[str]) -> Mapping[str, int]:
        return self._pack_others(leaving)[0]

    def _pack_others(self, leaving: Sequence[str]) -> tuple[dict[str, int], set[str]]:
        staying = [
            one
            for one in self._placed
            if one.model not in leaving and not is_pinned(self._host, one)
        ]
        return self._pack(staying, self._lasting, self._gpu_limit)

    def _spot(
        self, fit: Fit, needed: int, free: Mapping[str, int], leaving: tuple[str, ...] = ()
    ) -> Spot | None:
        devices = self._devices_for(needed, free, self._gpu_limit)
        if devices is None:
            return None
        spare = sum(free[name] for name in devices) - needed
        return Spot(fit, devices, spare, not set(devices) & set(self._gpus), leaving)

    def _devices_for(
        self, needed: int, free: Mapping[str, int], gpu_limit: int
    ) -> tuple[str, ...] | None:
        """The one device that it fills best, else several accelerators; None where it fits none."""
        if needed == 0:
            return (*self._gpus, *self._cpus)[:1]
        pool = self._gpus if needed <= gpu_limit else self._cpus
        fitting = [name for name in pool if free[name] >= needed]
        if fitting:
            return (min(fitting, key=lambda name: (free[name], name)),)
        return pool if pool == self._gpus and self._gpu_bytes(free) >= needed else None

    def _pack(
        self, models: Sequence[PlacedModel], free: Mapping[str, int], gpu_limit: int
    ) -> tuple[dict[str, int], set[str]]:
        """What is left of ``free`` once as many of ``models`` as fit have theirs, and which do."""
        left, packed = dict(free), set()
        for one in sorted(models, key=self._packing_order):
            needed = self._size(one.model)
            devices = self._devices_for(needed, left, gpu_limit)
            if devices is not None:
                _take(left, devices, needed)
                packed.add(one.model)
        return left, packed

    def _packing_order(self, placed: PlacedModel) -> tuple[bool, int, str]:
        report = find_report(self._host, placed.model)
        is_resident = report is not None and report.resident
        return not is_resident, -self._size(placed.model), placed.model

    def _gpu_bytes(self, free: Mapping[str, int]) -> int:
        return sum(free[name] for name in self._gpus)

    def _size(self, model: str) -> int:
        report = find_report(self._host, model)
        return needed_bytes(report) if report else 0


def find_report(host: HostReport, model: str) -> ModelReport | None:
    """What ``host`` says of ``model``; None where it does not serve it."""
    return next((report for report in host.models if report.model == model), None)


def is_pinned(host: HostReport, placed: PlacedModel) -> bool:
    """Whether the model never leaves this host."""
    report = find_report(host, placed.model)
    return placed.pinned or (report is not None and report.pinned)


def needed_bytes(model: ModelReport) -> int:
    """Memory that ``model`` takes; 0 where nobody knows."""
    return model.size_bytes or 0


def _take(free: dict[str, int], devices: Sequence[str], needed: int) -> None:
    for name in sorted(devices, key=lambda device: (-free[device], device)):
        taken = min(needed, free[name])
        free[name] -= taken
        needed -= taken
