"""The room of one host: which of its placed models share its memory, and what else fits; pure.

Placed models are packed onto the host's devices, those that may never leave first, then the
larger ones. What finds no room takes turns with the others and holds none for itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from contracts.placement import PlacedModel
from contracts.presence import DeviceReport, HostReport, ModelReport


class Fit(IntEnum):
    """How a model finds its memory on a host; the lower the better."""

    FREE = 0  # no placed model wants it
    IDLE = 1  # once models that nobody asks for are no longer placed
    TURNS = 2  # when the others on its device have left for a while


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a model: ``spare_bytes`` are left on the device, ``leaving`` go for it."""

    fit: Fit
    device: DeviceReport | None
    spare_bytes: int
    leaving: tuple[str, ...] = ()

    @property
    def on_cpu(self) -> bool:
        """Whether it has no accelerator."""
        return self.device is None or self.device.kind == "cpu"


@dataclass(frozen=True, slots=True)
class Room:
    """What ``placed`` leaves of a host's memory."""

    host: HostReport
    placed: tuple[PlacedModel, ...]

    def spot_for(self, model: ModelReport, idle: Iterable[str]) -> Spot | None:
        """The best place for ``model``, for which ``idle`` may leave; None where it never fits."""
        needed = needed_bytes(model)
        free = self._best(Fit.FREE, self._free_bytes(self.placed), needed)
        if free is not None:
            return free
        leaving = self._least_leaving(needed, tuple(idle))
        if leaving:
            left = self._free_bytes(self._without(leaving))
            return self._best(Fit.IDLE, left, needed, leaving)
        return self._best(Fit.TURNS, self.capacities(), needed)

    def capacities(self) -> Mapping[str, int]:
        """Bytes of each device that pinned models do not hold for ever."""
        pinned = tuple(placed for placed in self.placed if self._is_pinned(placed))
        return self._free_bytes(pinned)

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
        return max(self._free_bytes(self._without(leaving)).values(), default=0) >= needed

    def _without(self, leaving: Sequence[str]) -> tuple[PlacedModel, ...]:
        return tuple(placed for placed in self.placed if placed.model not in leaving)

    def _best(
        self, fit: Fit, free: Mapping[str, int], needed: int, leaving: tuple[str, ...] = ()
    ) -> Spot | None:
        """An accelerator before the CPU, then the device that is filled best."""
        spots = [
            Spot(fit, device, free[device.name] - needed, leaving)
            for device in self.host.devices
            if free[device.name] >= needed
        ]
        if not self.host.devices and needed == 0:
            return Spot(fit, None, 0, leaving)
        return min(spots, key=_tightness, default=None)

    def _free_bytes(self, models: Sequence[PlacedModel]) -> dict[str, int]:
        free = {device.name: device.total_bytes for device in self.host.devices}
        packing = sorted(
            models, key=lambda placed: (not self._is_pinned(placed), *self._bulk(placed))
        )
        for placed in packing:
            report = find_report(self.host, placed.model)
            needed = needed_bytes(report) if report else 0
            spot = self._best(Fit.FREE, free, needed)
            if spot is not None and spot.device is not None:
                free[spot.device.name] -= needed
        return free

    def _bulk(self, placed: PlacedModel) -> tuple[int, str]:
        report = find_report(self.host, placed.model)
        return -(needed_bytes(report) if report else 0), placed.model

    def _is_pinned(self, placed: PlacedModel) -> bool:
        return is_pinned(self.host, placed)


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


def _tightness(spot: Spot) -> tuple[bool, int, str]:
    return spot.on_cpu, spot.spare_bytes, spot.device.name if spot.device else ""
