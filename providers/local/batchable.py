"""Whether a checkpoint can be batched continuously, and what its cache takes."""

from typing import Any

from transformers import PreTrainedModel

_PAGED_LAYERS = frozenset({"full_attention", "sliding_attention"})
_PAGED_ATTENTION = ("sdpa", "eager", "flash_attention_2", "flash_attention_3")
# Architectures whose batched tokens were compared with those of a plain ``generate``.
_COMPARED = frozenset(
    (
        *("gemma3_text", "gpt2", "gpt_neox", "llama", "mistral", "mixtral"),
        *("phi", "phi3", "qwen2", "qwen3", "qwen3_moe", "smollm3"),
    )
)


def is_compared(model: PreTrainedModel) -> bool:
    """Whether the model is of an architecture that is known to give the same tokens batched."""
    config: Any = model.config.get_text_config()
    return config.model_type in _COMPARED


def why_not_batched(model: PreTrainedModel) -> str | None:
    """What stands in the way of continuous batching; None where nothing does."""
    config: Any = model.config.get_text_config()
    if getattr(model, "_is_stateful", False):
        return "it keeps a state, not keys and values"
    if len(set((getattr(model, "hf_device_map", None) or {}).values())) > 1:
        return "it is spread over several devices"
    if config.is_encoder_decoder:
        return "it is an encoder and a decoder"
    if not getattr(model, "_supports_attention_backend", False):
        return "its attention cannot be replaced by a paged one"
    if model.config._attn_implementation not in _PAGED_ATTENTION:
        return f"its attention is {model.config._attn_implementation}"
    layer_types = set(getattr(config, "layer_types", None) or ())
    if not layer_types <= _PAGED_LAYERS:
        return f"it has {', '.join(sorted(layer_types - _PAGED_LAYERS))} layers"
    if getattr(config, "num_attention_heads", None) is None:
        return "it has no attention heads"
    return None


def kv_token_bytes(model: PreTrainedModel) -> int:
    """Bytes of one token's keys and values in all layers."""
    config: Any = model.config.get_text_config()
    num_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_dim = getattr(config, "head_dim", None)
    head_dim = head_dim or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * num_heads * head_dim * model.dtype.itemsize)


def num_masks(model: PreTrainedModel) -> int:
    """Attention masks that a batch needs: one for each kind of layer, none for flash attention."""
    if "flash" in str(model.config._attn_implementation):
        return 0
    config: Any = model.config.get_text_config()
    layer_types = set(getattr(config, "layer_types", None) or ("full_attention",))
    return len(layer_types)


def sector_blocks(model: PreTrainedModel) -> int:
    """Blocks that are allotted together: more than one where kinds of layers are mixed."""
    config: Any = model.config.get_text_config()
    layer_types = list(getattr(config, "layer_types", None) or ())
    counts = {layer_types.count(kind) for kind in set(layer_types)}
    return 1 if len(counts) < 2 else config.num_hidden_layers  # noqa: PLR2004 - of two kinds
