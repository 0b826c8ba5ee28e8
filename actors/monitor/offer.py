"""A model on a host: whether it could answer there, and what it would take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.presence import DeviceReport, HostReport, ModelReport

# Asked for by name only: it answers with the prompt itself.
ECHO: Final = "echo"


@dataclass(frozen=True, slots=True)
class Offer:
    """What one host offers: ``model``, with ``device`` free for it where it must be loaded."""

    host: HostReport
    model: ModelReport
    device: DeviceReport | None

    @property
    def key(self) -> str:
        """The model's key."""
        return self.model.model

    @property
    def is_echo(self) -> bool:
        """Whether it only repeats the prompt."""
        return ECHO in (self.model.model, self.model.provider)

    @property
    def is_held(self) -> bool:
        """Whether its memory is taken already, or is not this host's concern."""
        held = self.model.resident or self.model.loading is not None
        return held or self.model.source == "remote"

    @property
    def is_remote(self) -> bool:
        """Whether the text leaves the machines of the executors."""
        return self.model.source == "remote"

    def is_resident(self, strategy: str | None) -> bool:
        """Whether it can answer at once, with ``strategy`` if one is wished."""
        if not self.model.resident:
            return False
        return strategy is None or self.model.resident_strategy in (None, strategy)

    def takes(self, num_tokens: int) -> bool:
        """Whether a prompt of that length leaves room for an answer."""
        return self.model.context_tokens is None or num_tokens < self.model.context_tokens

    def fits(self, default_model: str) -> bool:
        """Whether there is memory for it.

        A model of unknown size is not tried on a guess, unless the operator made it the default.
        """
        if self.is_held:
            return True
        if needed_bytes(self.model) is None:
            return self.key == default_model
        return self.device is not None


def offers_of(hosts: Sequence[HostReport]) -> list[Offer]:
    """All models of all hosts."""
    return [
        Offer(host=host, model=model, device=_device_for(host, model))
        for host in hosts
        for model in host.models
    ]


def needed_bytes(model: ModelReport) -> int | None:
    """Memory to load ``model`` and answer with it, or None where its size is unknown."""
    return model.size_bytes


def roomiest(devices: Sequence[DeviceReport]) -> DeviceReport | None:
    """The device with the most free memory; accelerators before the CPU."""
    return min(devices, key=_roominess, default=None)


def _device_for(host: HostReport, model: ModelReport) -> DeviceReport | None:
    needed = needed_bytes(model)
    if needed is None:
        return None
    for evicting in (False, True):
        fitting = [one for one in host.devices if _obtainable(one, evicting=evicting) >= needed]
        if fitting:
            return roomiest(fitting)
    return None


def _obtainable(device: DeviceReport, *, evicting: bool) -> int:
    """Bytes that are free, or are where the idle ones leave."""
    return device.free_bytes + (device.evictable_bytes if evicting else 0)


def _roominess(device: DeviceReport) -> tuple[bool, int, str]:
    return device.kind == "cpu", -device.free_bytes, device.name
