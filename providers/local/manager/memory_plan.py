"""What a model needs of memory, what it is given, and what stands in the way."""

from collections.abc import Mapping
from dataclasses import dataclass

from providers.local.manager.resident_key import ResidentKey


@dataclass(frozen=True, slots=True)
class Demand:
    """What a model needs, in bytes; where it is split, ``workspace_bytes`` on every device.

    ``indivisible_bytes`` is its largest piece (a layer), which no split can cut.
    """

    weights_bytes: int
    kv_bytes: int = 0
    workspace_bytes: int = 0
    indivisible_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it on one device."""
        return self.weights_bytes + self.kv_bytes + self.workspace_bytes


@dataclass(frozen=True, slots=True)
class Reservation:
    """Bytes that a model may use of each device; ``kv_bytes`` of their sum are for its KV cache.

    Devices are named as torch names them: ``cuda:0``, ``cpu``.
    """

    devices: Mapping[str, int]
    kv_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """The sum over all devices."""
        return sum(self.devices.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a model goes once ``victims`` (least recently used first) have left."""

    reservation: Reservation
    victims: tuple[ResidentKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Bytes that each device lacks though all that may leave it had left."""

    missing_bytes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """One device in bytes: what models may use, what they hold, and what of that could go."""

    name: str
    budget_bytes: int
    reserved_bytes: int
    evictable_bytes: int

    @property
    def free_bytes(self) -> int:
        """What nobody holds."""
        return max(0, self.budget_bytes - self.reserved_bytes)
