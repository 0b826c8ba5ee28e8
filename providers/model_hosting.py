"""What a provider can do besides that holds models in this machine's memory."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from providers.local.manager.memory_plan import DeviceMemory
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy


@runtime_checkable
class HostsModels(Protocol):
    """Memory of this machine, and the models that hold it."""

    def memory(self) -> tuple[DeviceMemory, ...]:
        """Budget, reservations and what could be evicted, per device."""
        ...

    async def set_budgets(self, budgets: Mapping[str, int]) -> None:
        """Bytes that models may use of the devices named; what no longer fits leaves when idle."""
        ...

    def pin(self, model: str, *, pinned: bool) -> None:
        """Whether the model, once resident, is never evicted."""
        ...

    def size_bytes(self, entry: ModelEntry, strategy: Strategy) -> int | None:
        """All the memory that the model takes, or will; None where nobody can tell."""
        ...

    def num_waiting(self, model: str) -> int:
        """How many generations were taken and wait."""
        ...
