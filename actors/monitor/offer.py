"""A model on a host: whether it could answer there, and what it would take."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from contracts.presence import DeviceReport, HostReport, ModelReport

# Weights are not all: KV cache and activations come on top, a fifth as a rule of thumb
# (EleutherAI, "Transformer Math 101", 2023; also what `accelerate estimate-memory` advises).
MEMORY_FACTOR: Final = Fraction(6, 5)
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
    return None if model.size_bytes is None else int(model.size_bytes * MEMORY_FACTOR)


def roomiest(devices: Sequence[DeviceReport]) -> DeviceReport | None:
    """The device with the most free memory; accelerators before the CPU."""
    return min(devices, key=_roominess, default=None)


def _device_for(host: HostReport, model: ModelReport) -> DeviceReport | None:
    needed = needed_bytes(model)
    if needed is None:
        return None
    return roomiest([device for device in host.devices if device.free_bytes >= needed])


def _roominess(device: DeviceReport) -> tuple[bool, int, str]:
    return device.kind == "cpu", -device.free_bytes, device.name
