"""From a registry entry to weights in memory, or to an error that says what to do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from contracts.errors import ModelLoadFailed, OutOfMemory
from providers.foreign_error import describe
from providers.local.checkpoint_files import CheckpointFiles, inspect_checkpoint
from providers.local.checkpoint_source import locate_checkpoint
from providers.local.config_check import check_config
from providers.local.device_placement import DevicePlacement
from providers.local.engine_error import is_out_of_memory
from providers.local.int8_layers import quantize_linear_layers, quantized_bytes
from providers.local.weight_form import WeightForm
from providers.local.weight_progress import OnBytes, WeightProgress
from providers.registries.model_entry import ModelEntry


@dataclass(slots=True)
class Checkpoint:
    """A loaded checkpoint; ``decode`` maps token ids to text without special tokens."""

    key: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    decode: Callable[[Sequence[int]], str]
    eos_ids: frozenset[int]
    device: torch.device
    context_tokens: int | None
    num_parameters: int
    size_bytes: int

    def free(self) -> None:
        """Let go of the weights, and of memory that torch keeps for reuse; it runs no more."""
        if not hasattr(self, "model"):
            return
        del self.model
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()


def load_checkpoint(
    entry: ModelEntry, form: WeightForm, placement: DevicePlacement, on_bytes: OnBytes
) -> Checkpoint:
    """The entry's checkpoint where ``placement`` says, its weights in that form.

    ``on_bytes`` hears how many bytes of weights are in memory, of how many. Never runs code of
    the checkpoint's and never unpickles.

    Raises: ModelLoadFailed, OutOfMemory.
    """
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    files = inspect_checkpoint(entry.key, locate_checkpoint(entry))
    try:
        check_config(entry.key, files.folder, len(files.tensor_bytes), files.total_bytes)
        tokenizer = _load_tokenizer(files)
        model = _load_model(entry, files, form, placement, on_bytes)
        num_parameters = int(model.num_parameters())
        if form == "int8" and placement.main == "cpu":
            quantize_linear_layers(model)
    except ModelLoadFailed:
        raise
    except Exception as exc:
        if is_out_of_memory(exc):
            raise OutOfMemory(model=entry.key, device=placement.main, reason=describe(exc)) from exc
        raise ModelLoadFailed(model=entry.key, reason=_reason(exc), cure=_cure(exc)) from exc
    eos_ids = _eos_ids(model, tokenizer)
    # What the checkpoint recommends for sampling is not ours to apply: requests and the registry
    # say how to sample, and ``generate`` would fill in the rest from here.
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    return Checkpoint(
        key=entry.key,
        model=model,
        tokenizer=tokenizer,
        decode=_decoder(tokenizer),
        eos_ids=eos_ids,
        device=model.device,
        context_tokens=_context_tokens(model, entry),
        num_parameters=num_parameters,
        size_bytes=int(model.get_memory_footprint())  # type: ignore[no-untyped-call]
        + quantized_bytes(model),
    )


def _load_tokenizer(files: CheckpointFiles) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        files.folder, trust_remote_code=False, local_files_only=True
    )
    return tokenizer


def _load_model(
    entry: ModelEntry,
    files: CheckpointFiles,
    form: WeightForm,
    placement: DevicePlacement,
    on_bytes: OnBytes,
) -> PreTrainedModel:
    sixteen = form if form in {"bfloat16", "float16"} else None
    with WeightProgress(files.tensor_bytes, on_bytes):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            files.folder,
            dtype=sixteen or entry.dtype,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **_device_options(placement),
            **_quantized_options(form, placement),
        )
    model: PreTrainedModel
    model, info = loaded
    _check_complete(entry.key, info)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _device_options(placement: DevicePlacement) -> dict[str, Any]:
    if placement.max_memory:
        return {"device_map": "auto", "max_memory": dict(placement.max_memory)}
    return {} if placement.main == "cpu" else {"device_map": {"": placement.main}}


def _quantized_options(form: WeightForm, placement: DevicePlacement) -> dict[str, Any]:
    if placement.main == "cpu" or form not in {"int8", "int4"}:
        return {}
    config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_8bit=form == "int8",
        load_in_4bit=form == "int4",
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": config}


def _check_complete(key: str, info: Mapping[str, object]) -> None:
    """Weights that the files lack are silently made up by transformers; refuse that."""
    missing = info.get("missing_keys")
    if missing and isinstance(missing, set | list | tuple):
        first = sorted(str(name) for name in missing)[0]
        raise ModelLoadFailed(
            model=key,
            reason=f"{len(missing)} of its weights are missing, such as {first}",
            cure="fetch the checkpoint again; its files do not belong together",
        )


def _reason(exc: Exception) -> str:
    if "ignore_mismatched_sizes" in str(exc):
        return "its weights have other shapes than config.json says"
    return describe(exc)


def _cure(exc: Exception) -> str:
    if "trust_remote_code" in str(exc):
        return "choose a model that transformers runs without code of its own"
    return "check that the files are one checkpoint of a causal language model"


def _eos_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    declared = model.generation_config.eos_token_id if model.generation_config else None
    ids = set(declared) if isinstance(declared, list) else {declared}
    return frozenset(int(eos) for eos in (*ids, tokenizer.eos_token_id) if eos is not None)


def _context_tokens(model: PreTrainedModel, entry: ModelEntry) -> int | None:
    text_config = model.config.get_text_config()
    limits = (entry.context_tokens, getattr(text_config, "max_position_embeddings", None))
    return min((limit for limit in limits if limit), default=None)


def _decoder(tokenizer: PreTrainedTokenizerBase) -> Callable[[Sequence[int]], str]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return lambda ids: str(tokenizer.decode(list(ids), skip_special_tokens=True))
    # The same text without the wrapper's checks, which cost more than the decoding of a token.
    return lambda ids: str(backend.decode(list(ids), skip_special_tokens=True))
