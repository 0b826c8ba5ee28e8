"""Making a model ready to generate: load it, choose its engine, and warm it up where promised."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import torch

from contracts.prompt import ChatMessage
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.engine import Engine
from providers.local.generation import TextGenerator
from providers.local.model_loader import load_checkpoint
from providers.local.serial_engine import SerialEngine
from providers.local.weight_progress import OnBytes
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy


class MemoryReservation(Protocol):
    """What a model may use: bytes by device name, and how many of them for its KV cache."""

    @property
    def devices(self) -> Mapping[str, int]:
        """Bytes by device, such as ``cpu`` or ``cuda:0``."""
        ...

    @property
    def kv_bytes(self) -> int:
        """Bytes of those that its KV cache takes."""
        ...


def host_model(
    entry: ModelEntry,
    strategy: Strategy,
    reservation: MemoryReservation,
    on_bytes: OnBytes,
    *,
    num_threads: int | None,
) -> Engine:
    """The entry's model, ready to generate, within ``reservation``.

    Blocks; call it on a thread that runs no event loop. ``on_bytes`` is called on that thread.

    Raises: ModelLoadFailed, OutOfMemory.
    """
    generator = load_generator(entry, strategy, on_bytes, num_threads=num_threads)
    checkpoint = generator.checkpoint
    engine = SerialEngine(generator, size_bytes=checkpoint.size_bytes + reservation.kv_bytes)
    if strategy.warm_up:
        asyncio.run(_warm_up(engine, entry, strategy))
    return engine


def load_generator(
    entry: ModelEntry, strategy: Strategy, on_bytes: OnBytes, *, num_threads: int | None
) -> TextGenerator:
    """The entry's model for one generation at a time on the calling thread.

    Raises: ModelLoadFailed.
    """
    if num_threads is not None and torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)
    checkpoint = load_checkpoint(entry, strategy, on_bytes)
    return TextGenerator(checkpoint, entry, checkpoint.context_tokens)


async def _warm_up(engine: Engine, entry: ModelEntry, strategy: Strategy) -> None:
    job = GenerationJob(
        entry=entry,
        strategy=strategy,
        messages=(ChatMessage(role="user", content="Hello"),),
        max_tokens=2,
        temperature=1.0,
        top_p=1.0,
        repetition_penalty=1.0,
        seed=0,
        stop=(),
    )
    await engine.generate(job, on_text=None, cancel=Cancellation())
