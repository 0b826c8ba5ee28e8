"""How much a model's KV cache takes, told from its config; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_DTYPE_BYTES = {
    "float64": 8,
    "float32": 4,
    "bfloat16": 2,
    "float16": 2,
    "F64": 8,
    "F32": 4,
    "BF16": 2,
    "F16": 2,
}
_SLIDING = ("sliding_attention", "chunked_attention")
_FULL = "full_attention"


@dataclass(frozen=True, slots=True)
class KvShape:
    """Layers that keep all tokens, layers that keep ``window_tokens``, and values per token."""

    num_full_layers: int
    num_sliding_layers: int
    window_tokens: int
    values_per_token: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self | None:
        """The shape that ``config.json`` tells; None where it has no fields that we know."""
        text = text_config(config)
        num_layers = _first(text, "num_hidden_layers", "n_layer", "num_layers")
        num_heads = _first(text, "num_attention_heads", "n_head", "num_heads")
        hidden = _first(text, "hidden_size", "n_embd", "d_model")
        if not num_layers or not num_heads or not hidden:
            return None
        num_kv_heads = _first(text, "num_key_value_heads") or num_heads
        head_size = _first(text, "head_dim") or hidden // num_heads
        window = _first(text, "sliding_window", "attention_chunk_size") or 0
        num_full, num_sliding = _layers(text, num_layers, window)
        return cls(num_full, num_sliding, window, 2 * num_kv_heads * head_size)

    def size_bytes(self, num_tokens: int, context_tokens: int, bytes_per_value: int) -> int:
        """Bytes for ``num_tokens`` in all, in generations of up to ``context_tokens`` each."""
        num_sequences = -(-num_tokens // max(1, context_tokens))
        in_window = min(num_tokens, num_sequences * self.window_tokens)
        num_kept = self.num_full_layers * num_tokens + self.num_sliding_layers * in_window
        return num_kept * self.values_per_token * bytes_per_value


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of ``config`` that is about text, where a model knows more than text."""
    inner = config.get("text_config")
    return inner if isinstance(inner, Mapping) else config


def dtype_bytes(name: object) -> int | None:
    """Bytes of one value of a floating-point type, by torch's or safetensors' name for it."""
    return _DTYPE_BYTES.get(str(name).removeprefix("torch."))


def context_of(config: Mapping[str, Any]) -> int | None:
    """Tokens of context, as the config says."""
    return _first(text_config(config), "max_position_embeddings", "n_positions")


def _layers(text: Mapping[str, Any], num_layers: int, window: int) -> tuple[int, int]:
    types = text.get("layer_types")
    if isinstance(types, list):
        num_sliding = sum(one in _SLIDING for one in types) if window else 0
        # Linear and recurrent layers keep a state of fixed size, which is next to nothing.
        return sum(one == _FULL for one in types), num_sliding
    if window and text.get("use_sliding_window", True):
        return 0, num_layers
    return num_layers, 0


def _first(text: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = text.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None
