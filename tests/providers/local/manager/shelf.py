"""Engines that count instead of decoding, so that a test decides when anything happens."""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import OutOfMemory, ProviderFailed
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.engine import Decoded
from providers.local.manager.hosted_engine import HostedEngine, OnBytes
from providers.local.manager.lease import Lease
from providers.local.manager.memory_plan import Reservation
from providers.local.manager.model_manager import ModelManager
from providers.local.manager.request_scheduler import DEFAULT_MAX_WAIT_S
from providers.provider import OnText
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

STANDARD = Strategy(key="standard", promise="as it is")
FAST = Strategy(key="optimized", promise="fast", dtype="fast")


def entry(key: str, num_bytes: int = 1000) -> ModelEntry:
    """A model whose weights take ``num_bytes``, and whose files are nowhere."""
    return ModelEntry(key=key, source="/nowhere", dtype="bfloat16", num_parameters=num_bytes // 2)


@dataclass
class CountingEngine:
    """Says one word for each job; ``faults`` are raised first, one for each job.

    A fault of a job that asks for one token only is raised after the word.
    """

    key: str
    events: list[str]
    faults: list[Exception]
    slots: int = 1
    size_bytes: int = 0
    context_tokens: int | None = 64
    num_parameters: int = 500
    is_alive: bool = True

    async def generate(
        self, job: GenerationJob, *, on_text: OnText | None, cancel: Cancellation
    ) -> Decoded:
        """Answer at once, or raise the next fault."""
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else None
        if on_text is not None and (fault is None or job.max_tokens == 1):
            on_text("word")
        if fault is not None:
            self.is_alive = not isinstance(fault, ProviderFailed)
            raise fault
        return Decoded("word", "stop", 1, 1, 0.0, None, 0.0)

    async def close(self) -> None:
        """Leave."""
        self.is_alive = False
        self.events.append(f"free {self.key}")


@dataclass
class Shelf:
    """Makes counting engines on the manager's thread, and remembers what happened.

    ``broken`` models fail to load; ``short`` ones run out of memory so many times; ``measured``
    are the bytes that they then turn out to take.
    """

    events: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    broken: set[str] = field(default_factory=set)
    short: Counter[str] = field(default_factory=Counter)
    measured: dict[str, int] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    slots: int = 1

    def load(
        self, model: ModelEntry, _strategy: Strategy, reservation: Reservation, on_bytes: OnBytes
    ) -> HostedEngine:
        """An engine, once the gate is open."""
        for num_done in range(0, 1001, 50):
            on_bytes(num_done, 1000)
        self.gate.wait(5)
        self.events.append(f"load {model.key}")
        if model.key in self.broken:
            raise OSError(model.key)
        if self.short[model.key]:
            self.short[model.key] -= 1
            raise OutOfMemory(model=model.key, device="cpu", reason="no more")
        engine = CountingEngine(model.key, self.events, self.faults, self.slots)
        size = self.measured.get(model.key)
        measured: Mapping[str, int] = reservation.devices if size is None else {"cpu": size}
        return HostedEngine(engine, measured)

    def manager(
        self, budget_bytes: int = 2400, max_wait_s: float = DEFAULT_MAX_WAIT_S
    ) -> ModelManager:
        """A manager with room for two models of 1000 bytes and their workspace."""
        self.gate.set()
        return ModelManager(
            self.load, budgets={"cpu": budget_bytes}, max_wait_s=max_wait_s, host="box"
        )


async def visit(manager: ModelManager, key: str) -> None:
    """Use the model once."""
    (await manager.acquire(entry(key), STANDARD)).release()


def loaded(manager: ModelManager) -> list[str]:
    """The models that are resident, least recently used first."""
    return [state.model for state in manager.get_loaded_models() if state.loading is None]


def held_bytes(manager: ModelManager) -> int:
    """What models hold of the RAM."""
    return manager.get_memory_stats()[0].reserved_bytes


async def acquire(manager: ModelManager, key: str, **wishes: Any) -> Lease:
    """A slot of the model of 1000 bytes."""
    return await manager.acquire(entry(key), STANDARD, **wishes)
