"""What actors announce about themselves, and executors about their machine."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.actor_kind import ActorKind
from contracts.generation import Source
from contracts.message import Message


class DeviceReport(Message):
    """Memory of one device in bytes: a GPU, or the host's RAM for ``kind`` cpu.

    ``total_bytes`` is what models may use of it, ``free_bytes`` what of that no model holds;
    ``evictable_bytes`` are held by models that are neither busy nor pinned.
    """

    name: str
    kind: Literal["cuda", "mps", "cpu"]
    total_bytes: int
    free_bytes: int
    evictable_bytes: int = 0


class ModelReport(Message):
    """One model an executor serves, and whether it is resident now.

    ``size_bytes`` is all the memory it takes (weights, KV cache, workspace): measured where it was
    resident before, else estimated. ``num_running`` generations are in ``slots`` now,
    ``num_waiting`` were taken and wait; ``generation_s`` is what one took of late.
    """

    model: str
    provider: str
    source: Source
    strategies: tuple[str, ...]
    default_strategy: str
    num_parameters: int | None = None
    size_bytes: int | None = None
    context_tokens: int | None = None
    good_at: tuple[str, ...] = ()
    rank: int = 0
    available: bool = True
    resident: bool = False
    resident_strategy: str | None = None
    loading: float | None = Field(default=None, ge=0.0, le=1.0)
    pinned: bool = False
    slots: int = 1
    num_running: int = 0
    num_waiting: int = 0
    generation_s: float | None = None

    @property
    def needs_memory(self) -> bool:
        """Whether it must be loaded: remote models, and what is resident untouched, need not."""
        return self.source == "local" and not (self.resident and self.resident_strategy is None)


class HostReport(Message):
    """A machine as its executor sees it; ``host`` is the executor's name, unique on the bus."""

    host: str
    num_cpus: int
    cpu_percent: float = 0.0
    devices: tuple[DeviceReport, ...] = ()
    models: tuple[ModelReport, ...] = ()


class Presence(Message):
    """One living actor process of one kind."""

    kind: ActorKind
    instance: str
    host: str
    pid: int
    version: str
    started_at: datetime
    num_in_flight: int = 0
    max_in_flight: int = 0
    report: HostReport | None = None
