"""What a model will take, told before it is loaded from what its files say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.local.checkpoint_files import INDEX, SINGLE
from providers.local.config_check import find_absurdity
from providers.local.hub_cache import find_on_disk
from providers.local.manager.kv_shape import KvShape, context_of, dtype_bytes, text_config
from providers.local.manager.memory_plan import Demand
from providers.local.safetensors_header import SafetensorsInvalid, Tensor, read_tensors
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

# Generations at a time that are worth memory for their context.
MAX_SLOTS = 16
# A cache of less than this could not hold one useful generation.
MIN_KV_TOKENS = 512
# Of a device at most one part in so many is for the KV cache of one model, unless told otherwise.
KV_SHARE = 8
# Activations: a part of the weights, and scores over the vocabulary for each generation.
WORKSPACE_SHARE = 10
_SCORE_BYTES = 4
_DEFAULT_CONTEXT = 4096
_SIXTEEN_BIT_BYTES = 2


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Sizes in bytes; ``kv`` is None where the config does not tell its shape."""

    weights_bytes: int
    workspace_bytes: int = 0
    indivisible_bytes: int = 0
    kv: KvShape | None = None
    kv_value_bytes: int = _SIXTEEN_BIT_BYTES
    context_tokens: int = _DEFAULT_CONTEXT

    def demand(self, kv_tokens: int) -> Demand:
        """What is asked for with a KV cache of ``kv_tokens``."""
        kv_bytes = 0
        if self.kv is not None:
            kv_bytes = self.kv.size_bytes(kv_tokens, self.context_tokens, self.kv_value_bytes)
        return Demand(self.weights_bytes, kv_bytes, self.workspace_bytes, self.indivisible_bytes)

    def demands(self, largest_budget_bytes: int, max_kv_tokens: int | None) -> list[Demand]:
        """What would serve, the best first: the KV cache is halved until it is of no use."""
        kv_tokens = MAX_SLOTS * self.context_tokens
        if max_kv_tokens is not None:
            kv_tokens = min(kv_tokens, max_kv_tokens)
        fewest = min(MIN_KV_TOKENS, self.context_tokens)
        demands = []
        while kv_tokens > fewest:
            demand = self.demand(kv_tokens)
            if max_kv_tokens is not None or demand.kv_bytes * KV_SHARE <= largest_budget_bytes:
                demands.append(demand)
            kv_tokens //= 2
        return [*demands, self.demand(fewest)]


def estimate_memory(entry: ModelEntry, strategy: Strategy, *, on_gpu: bool) -> MemoryEstimate:
    """What ``entry`` will take on this host; reads headers only, and imports no torch.

    Where its files are not here yet it goes by the number of parameters in the registry; 0 bytes
    of weights tell that nobody knows.
    """
    folder = find_on_disk(entry)
    tensors = _read_headers(folder)
    config = _read_config(folder, tensors)
    value_bytes = _value_bytes(entry, strategy, config, on_gpu=on_gpu)
    if not tensors:
        weights_bytes = (entry.num_parameters or 0) * (value_bytes or _SIXTEEN_BIT_BYTES)
        return build_estimate({"weights": weights_bytes}, config, entry, value_bytes)
    sizes = {name: _loaded_bytes(tensor, value_bytes) for name, tensor in tensors.items()}
    return build_estimate(sizes, config, entry, value_bytes)


def build_estimate(
    sizes: Mapping[str, int],
    config: Mapping[str, Any],
    entry: ModelEntry,
    value_bytes: int | None,
) -> MemoryEstimate:
    """The estimate from the bytes of each tensor and the config; pure."""
    weights_bytes = sum(sizes.values())
    vocabulary = text_config(config).get("vocab_size", 0)
    contexts = (entry.context_tokens, context_of(config))
    return MemoryEstimate(
        weights_bytes=weights_bytes,
        workspace_bytes=weights_bytes // WORKSPACE_SHARE + MAX_SLOTS * vocabulary * _SCORE_BYTES,
        indivisible_bytes=_largest_piece(sizes),
        kv=KvShape.from_config(config),
        kv_value_bytes=max(value_bytes or 0, _SIXTEEN_BIT_BYTES),
        context_tokens=min((each for each in contexts if each), default=_DEFAULT_CONTEXT),
    )


def _value_bytes(
    entry: ModelEntry, strategy: Strategy, config: Mapping[str, Any], *, on_gpu: bool
) -> int | None:
    """Bytes of one weight once loaded; None: as it is stored."""
    # Which CPUs are fast with 16 bits only torch knows, and there weights are quantized after the
    # load; so for a CPU the larger size is assumed. Four bits come with layers that stay whole.
    if on_gpu and strategy.dtype != "checkpoint":
        return _SIXTEEN_BIT_BYTES if strategy.dtype == "fast" else 1
    if entry.dtype != "auto":
        return dtype_bytes(entry.dtype)
    text = text_config(config)
    return dtype_bytes(text.get("dtype") or text.get("torch_dtype") or config.get("dtype"))


def _loaded_bytes(tensor: Tensor, value_bytes: int | None) -> int:
    stored = dtype_bytes(tensor.dtype)
    if stored is None or value_bytes is None:
        return tensor.num_bytes
    return tensor.num_bytes // stored * value_bytes


def _largest_piece(sizes: Mapping[str, int]) -> int:
    """The largest layer, or the largest tensor outside of layers."""
    pieces: dict[str, int] = {}
    for name, size in sizes.items():
        piece = _layer_of(name)
        pieces[piece] = pieces.get(piece, 0) + size
    return max(pieces.values(), default=0)


def _layer_of(name: str) -> str:
    parts = name.split(".")
    number = next((at for at, part in enumerate(parts) if part.isdigit()), None)
    return name if number is None else ".".join(parts[: number + 1])


def _read_config(folder: Path | None, tensors: Mapping[str, Tensor]) -> Mapping[str, Any]:
    if folder is None:
        return {}
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        # Loading it will say what is wrong with it.
        return {}
    total_bytes = sum(tensor.num_bytes for tensor in tensors.values())
    if not isinstance(config, dict):
        return {}
    if tensors and find_absurdity(config, len(tensors), total_bytes):
        return {}
    return config


def _read_headers(folder: Path | None) -> Mapping[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    if folder is None:
        return tensors
    try:
        for path in _weight_files(folder):
            tensors |= read_tensors(path)
    except (OSError, ValueError, KeyError, AttributeError, SafetensorsInvalid):
        # Loading it will say what is wrong with it.
        return {}
    return tensors


def _weight_files(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        shards = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        return [folder / Path(str(shard)).name for shard in sorted(set(shards))]
    return [folder / SINGLE]
