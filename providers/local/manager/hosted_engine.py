"""What a load is given and gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from providers.local.engine import Engine
from providers.local.manager.memory_plan import Reservation
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

# Bytes of weights read, and how many there are.
OnBytes = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HostedEngine:
    """A loaded engine and the bytes that it takes of each device, as measured."""

    engine: Engine
    measured: Mapping[str, int]


# Blocks, on a thread of its own. May raise OutOfMemory, ModelLoadFailed, and what torch raises.
LoadEngine = Callable[[ModelEntry, Strategy, Reservation, OnBytes], HostedEngine]
