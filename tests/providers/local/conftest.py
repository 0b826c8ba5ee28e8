"""Engines over real checkpoints, without a provider around them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from contracts.generation import GenerationRequest
from providers.generation_job import GenerationJob, build_job
from providers.local.batch_engine import BatchEngine
from providers.local.engine import Engine
from providers.local.hosting import host_model
from providers.local.manager.memory_plan import Reservation
from providers.local.serial_engine import SerialEngine
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import StrategyRegistry

# Room for the KV cache of a batch of tiny models, and none at all, which makes an engine serial.
KV_BYTES = {BatchEngine: 24 << 20, SerialEngine: 0}
EngineKind = type[BatchEngine] | type[SerialEngine]
HostEngine = Callable[..., AbstractAsyncContextManager[Engine]]


def entry_of(folder: Path) -> ModelEntry:
    """A registry entry for a folder, with the key ``model``."""
    return ModelEntry(key="model", source=str(folder))


def job_of(folder: Path, strategy: str = "standard", **fields: object) -> GenerationJob:
    """A job for the checkpoint in ``folder``."""
    entry = entry_of(folder)
    request = GenerationRequest.model_validate(
        {"model": "model", "prompt": "the quick brown fox", **fields}
    )
    return build_job(request, entry, StrategyRegistry.from_toml().get(strategy, entry))


@pytest.fixture
def host_engine() -> HostEngine:
    """Enter the engine of a checkpoint; it is closed at the end."""

    @asynccontextmanager
    async def host(
        kind: EngineKind,
        folder: Path,
        *,
        strategy: str = "standard",
        kv_bytes: int | None = None,
    ) -> AsyncIterator[Engine]:
        entry = entry_of(folder)
        # On a thread, as the provider does it: an engine is warmed up with a loop of its own.
        engine = await asyncio.to_thread(
            host_model,
            entry,
            StrategyRegistry.from_toml().get(strategy, entry),
            Reservation({"cpu": 1 << 30}, KV_BYTES[kind] if kv_bytes is None else kv_bytes),
            lambda done, total: None,
            num_threads=1,
            slots=8,
        )
        assert isinstance(engine, kind)
        try:
            yield engine
        finally:
            await engine.close()

    return host
