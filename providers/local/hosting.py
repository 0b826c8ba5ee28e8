"""Making a model ready to generate: load it, choose its engine, and warm it up where promised."""

import asyncio
import functools
import gc
import logging

import torch

from contracts.errors import ModelLoadFailed, ProviderFailed
from providers.foreign_error import describe
from providers.local.batch_engine import BatchEngine
from providers.local.batch_sizes import BatchSizes, fit_batch
from providers.local.batchable import kv_token_bytes, num_masks, sector_blocks, why_not_batched
from providers.local.checkpoint_files import inspect_checkpoint
from providers.local.checkpoint_source import locate_checkpoint
from providers.local.device import fast_dtype, has_bitsandbytes, has_int8_kernels, pick_device
from providers.local.device_placement import DevicePlacement, place_weights
from providers.local.engine import Engine
from providers.local.engine_error import as_engine_error
from providers.local.form_speeds import FormSpeeds, measure_forms
from providers.local.generation import TextGenerator
from providers.local.manager.memory_plan import Reservation
from providers.local.mapped_weights import reading
from providers.local.model_loader import Checkpoint, load_checkpoint
from providers.local.prepared_job import JobPreparer
from providers.local.serial_engine import SerialEngine
from providers.local.trial_run import try_batch, warm_up
from providers.local.weight_form import Tried, WeightForm, candidate_forms, possible_forms
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
    speeds: FormSpeeds | None = None,
    tried: Tried | None = None,
) -> Engine:
    """The entry's model, ready to generate, within ``reservation``.

    Blocks; call it on a thread that runs no event loop. ``on_bytes`` is called on that thread.
    ``slots`` bounds the generations that run together. Where a strategy leaves a choice of
    weights, ``speeds`` remembers which decodes fastest here; without it the likely one is taken.
    What is in ``tried`` is loaded on a CPU without a trial run, and what passed one is put there.

    Raises: ModelLoadFailed, OutOfMemory, InvalidInput where the device cannot do ``strategy``.
    """
    _spare_modules()
    if num_threads is not None and torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)
    placement = place_weights(reservation) or DevicePlacement(str(pick_device()), {})
    form = _choose_form(entry, strategy, placement, speeds)
    checkpoint = load_checkpoint(entry, form, placement, on_bytes)
    try:
        tried = set() if tried is None else tried
        engine = _build_engine(checkpoint, entry, reservation, form=form, slots=slots, tried=tried)
        if strategy.warm_up:
            asyncio.run(warm_up(engine, entry, strategy))
    except Exception as exc:
        error = as_engine_error(entry.key, checkpoint.device, exc)
        if not isinstance(error, ProviderFailed):
            raise error from exc
        cure = "correct its config.json, or choose another model"
        raise ModelLoadFailed(model=entry.key, reason=describe(exc), cure=cure) from exc
    return engine


@functools.cache
def _spare_modules() -> None:
    """Keep the garbage collector from what stays for ever.

    torch and transformers are most of a million objects; looking through them stops every thread,
    the event loop's too, for some tenths of a second each time.
    """
    gc.collect()
    gc.freeze()


def _choose_form(
    entry: ModelEntry, strategy: Strategy, placement: DevicePlacement, speeds: FormSpeeds | None
) -> WeightForm:
    device = torch.device(placement.main)
    candidates = candidate_forms(
        strategy,
        entry.dtype,
        possible_forms(
            device.type,
            fast_dtype(device),
            int8_kernels=has_int8_kernels(device),
            bitsandbytes=has_bitsandbytes(device),
        ),
        device_type=device.type,
        strategies=entry.strategies,
    )
    if speeds is None or len(candidates) == 1:
        return candidates[0]
    size_bytes = inspect_checkpoint(entry.key, locate_checkpoint(entry)).total_bytes
    known = speeds.of(entry.key, size_bytes)
    if not set(candidates) <= set(known):
        known = measure_forms(
            candidates, lambda form: load_checkpoint(entry, form, placement, _unheard)
        )
        speeds.remember(entry.key, size_bytes, known)
        _LOGGER.info("model %s, tokens per second by weights: %s", entry.key, dict(known))
    return max(candidates, key=lambda form: known[form])


def _unheard(num_done: int, num_total: int) -> None:
    """Loads that are only for measuring are no progress of the one that was asked for."""


def _build_engine(
    checkpoint: Checkpoint,
    entry: ModelEntry,
    reservation: Reservation,
    *,
    form: WeightForm,
    slots: int | None,
    tried: Tried,
) -> Engine:
    reason = why_not_batched(checkpoint.model)
    sizes = None if reason else _batch_sizes(checkpoint, reservation, slots)
    if sizes is not None:
        context = min(checkpoint.context_tokens or sizes.capacity_tokens, sizes.capacity_tokens)
        preparer = JobPreparer(checkpoint, entry, context)
        what = (entry.key, form, checkpoint.size_bytes)
        # On a GPU the trial also shows how much memory a step takes.
        if what in tried and checkpoint.device.type == "cpu":
            with reading(checkpoint.model):
                return BatchEngine(preparer, sizes)
        engine = BatchEngine(preparer, sizes)
        reason = try_batch(engine, preparer, entry)
        if reason is None:
            tried.add(what)
            return engine
        engine.give_up()
    reason = reason or f"{reservation.kv_bytes} bytes for its KV cache are too few"
    _LOGGER.warning("model %s runs one generation at a time: %s", entry.key, reason)
    preparer = JobPreparer(checkpoint, entry, checkpoint.context_tokens)
    size_bytes = checkpoint.size_bytes + reservation.kv_bytes
    return SerialEngine(TextGenerator(preparer), size_bytes=size_bytes)


def _batch_sizes(
    checkpoint: Checkpoint, reservation: Reservation, slots: int | None
) -> BatchSizes | None:
    device = checkpoint.device.type
    return fit_batch(
        kv_bytes=reservation.kv_bytes,
        token_bytes=kv_token_bytes(checkpoint.model),
        mask_item_bytes=num_masks(checkpoint.model) * checkpoint.model.dtype.itemsize,
        sector_blocks=sector_blocks(checkpoint.model),
        context_tokens=checkpoint.context_tokens,
        slots=slots or DEFAULT_SLOTS.get(device, DEFAULT_ACCELERATOR_SLOTS),
        prefill_tokens=PREFILL_TOKENS.get(device, ACCELERATOR_PREFILL_TOKENS),
    )
