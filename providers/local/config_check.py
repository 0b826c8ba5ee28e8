"""A checkpoint's config.json against its weights, before anything is built to its measures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.errors import ModelLoadFailed

_CURE = "fetch the checkpoint again; its config.json and its weights do not belong together"
_LAYER_FIELDS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_WIDTH_FIELDS = ("hidden_size", "n_embd", "d_model")
# Of each of these there is a weight for every unit of width.
_INNER_FIELDS = (
    *("num_attention_heads", "n_head", "num_key_value_heads", "head_dim"),
    *("intermediate_size", "moe_intermediate_size", "n_inner"),
    *("num_experts", "num_local_experts", "n_routed_experts"),
)
_CONTEXT_FIELDS = ("max_position_embeddings", "n_positions")
# Two weights of four bits are one byte; nothing that is loaded here packs them closer.
_MAX_WEIGHTS_PER_BYTE = 2
# Some architectures make tables as long as the context.
_MAX_CONTEXT_TOKENS = 100_000_000


def check_config(model: str, folder: Path, num_tensors: int, total_bytes: int) -> None:
    """Refuse sizes that the weights cannot have: building them could take all memory or for ever.

    Raises: ModelLoadFailed naming the field.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as exc:
        raise ModelLoadFailed(model=model, reason="config.json is not JSON", cure=_CURE) from exc
    if not isinstance(config, dict):
        raise ModelLoadFailed(model=model, reason="config.json is not an object", cure=_CURE)
    reason = find_absurdity(config, num_tensors, total_bytes)
    if reason is not None:
        raise ModelLoadFailed(model=model, reason=f"config.json: {reason}", cure=_CURE)


def find_absurdity(config: Mapping[str, Any], num_tensors: int, total_bytes: int) -> str | None:
    """What in ``config`` weights of that size cannot have; None where nothing is wrong; pure."""
    parts = (config, config.get("text_config"))
    found = (
        _absurdity(part, num_tensors, total_bytes) for part in parts if isinstance(part, Mapping)
    )
    return next((reason for reason in found if reason is not None), None)


def _absurdity(config: Mapping[str, Any], num_tensors: int, total_bytes: int) -> str | None:
    for name in (*_LAYER_FIELDS, *_WIDTH_FIELDS, *_CONTEXT_FIELDS, "vocab_size"):
        value = config.get(name)
        if value is not None and (type(value) is not int or value < 1):
            return f"{name} is no positive number"
    layers, width = _first(config, _LAYER_FIELDS), _first(config, _WIDTH_FIELDS)
    context, vocab_size = _first(config, _CONTEXT_FIELDS), config.get("vocab_size") or 1
    if layers is not None and config[layers] > num_tensors:
        return f"{layers} is {config[layers]}, but the weights are {num_tensors} tensors"
    if width is not None and config[width] * vocab_size > total_bytes * _MAX_WEIGHTS_PER_BYTE:
        sizes = f"{width} of {config[width]} times vocab_size of {vocab_size}"
        return f"{sizes} does not fit the weights' size"
    if context is not None and config[context] > _MAX_CONTEXT_TOKENS:
        return f"{context} is {config[context]}"
    width_units = 1 if width is None else config[width]
    return _inner_absurdity(config, width_units, total_bytes)


def _inner_absurdity(config: Mapping[str, Any], width: int, total_bytes: int) -> str | None:
    for name in _INNER_FIELDS:
        value = config.get(name)
        # Some architectures say it for each layer, in a list.
        if type(value) is not int:
            continue
        if value < 1:
            return f"{name} is no positive number"
        if value * width > total_bytes * _MAX_WEIGHTS_PER_BYTE:
            return f"{name} of {value} times {width} does not fit the weights' size"
    return None


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of ``names`` that ``config`` has."""
    return next((name for name in names if config.get(name) is not None), None)
