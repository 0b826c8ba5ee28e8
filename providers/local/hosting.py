"""Making a model ready to generate: load it, choose its engine, and warm it up where promised."""

import asyncio
import logging

import torch

from contracts.prompt import ChatMessage
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.batch_engine import BatchEngine
from providers.local.batch_sizes import fit_batch
from providers.local.batchable import kv_token_bytes, num_masks, sector_blocks, why_not_batched
from providers.local.engine import Engine
from providers.local.engine_error import as_engine_error
from providers.local.generation import TextGenerator
from providers.local.manager.memory_plan import Reservation
from providers.local.model_loader import Checkpoint, load_checkpoint
from providers.local.prepared_job import JobPreparer
from providers.local.serial_engine import SerialEngine
from providers.local.weight_progress import OnBytes
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

_LOGGER = logging.getLogger(__name__)

# Generations together: on a CPU more of them no longer raise the sum of tokens per second.
DEFAULT_SLOTS = {"cpu": 16}
DEFAULT_ACCELERATOR_SLOTS = 32
# Tokens of prompts in one step; a longer prompt takes several, and others decode meanwhile.
PREFILL_TOKENS = {"cpu": 256}
ACCELERATOR_PREFILL_TOKENS = 2048


def host_model(
    entry: ModelEntry,
    strategy: Strategy,
    reservation: Reservation,
    on_bytes: OnBytes,
    *,
    num_threads: int | None,
    slots: int | None = None,
) -> Engine:
    """The entry's model, ready to generate, within ``reservation``.

    Blocks; call it on a thread that runs no event loop. ``on_bytes`` is called on that thread.
    ``slots`` bounds the generations that run together.

    Raises: ModelLoadFailed, OutOfMemory.
    """
    if num_threads is not None and torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)
    checkpoint = load_checkpoint(entry, strategy, on_bytes)
    try:
        engine = _build_engine(checkpoint, entry, reservation, slots)
        if strategy.warm_up:
            asyncio.run(_warm_up(engine, entry, strategy))
    except Exception as exc:
        raise as_engine_error(entry.key, checkpoint.device, exc) from exc
    return engine


def _build_engine(
    checkpoint: Checkpoint, entry: ModelEntry, reservation: Reservation, slots: int | None
) -> Engine:
    device = checkpoint.device.type
    reason = why_not_batched(checkpoint.model)
    if reason is None:
        sizes = fit_batch(
            kv_bytes=reservation.kv_bytes,
            token_bytes=kv_token_bytes(checkpoint.model),
            mask_item_bytes=num_masks(checkpoint.model) * checkpoint.model.dtype.itemsize,
            sector_blocks=sector_blocks(checkpoint.model),
            context_tokens=checkpoint.context_tokens,
            slots=slots or DEFAULT_SLOTS.get(device, DEFAULT_ACCELERATOR_SLOTS),
            prefill_tokens=PREFILL_TOKENS.get(device, ACCELERATOR_PREFILL_TOKENS),
        )
        if sizes is not None:
            context = min(checkpoint.context_tokens or sizes.capacity_tokens, sizes.capacity_tokens)
            return BatchEngine(JobPreparer(checkpoint, entry, context), sizes)
        reason = f"{reservation.kv_bytes} bytes for its KV cache are too few"
    _LOGGER.warning("model %s runs one generation at a time: %s", entry.key, reason)
    return build_serial_engine(checkpoint, entry, reservation)


def build_serial_engine(
    checkpoint: Checkpoint, entry: ModelEntry, reservation: Reservation
) -> SerialEngine:
    """The checkpoint without batching, which serves every architecture."""
    preparer = JobPreparer(checkpoint, entry, checkpoint.context_tokens)
    size_bytes = checkpoint.size_bytes + reservation.kv_bytes
    return SerialEngine(TextGenerator(preparer), size_bytes=size_bytes)


def load_generator(
    entry: ModelEntry, strategy: Strategy, on_bytes: OnBytes, *, num_threads: int | None
) -> TextGenerator:
    """The entry's model for one generation at a time on the calling thread.

    Raises: ModelLoadFailed.
    """
    if num_threads is not None and torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)
    checkpoint = load_checkpoint(entry, strategy, on_bytes)
    return TextGenerator(JobPreparer(checkpoint, entry, checkpoint.context_tokens))


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
