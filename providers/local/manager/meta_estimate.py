"""A model's size from its config alone, where its weights are not on this machine yet."""

from accelerate import init_empty_weights  # type: ignore[import-untyped]
from transformers import AutoConfig, AutoModelForCausalLM

from providers.local.manager.kv_shape import dtype_bytes
from providers.local.manager.memory_estimate import MemoryEstimate, build_estimate
from providers.registries.model_entry import ModelEntry


def estimate_from_config(entry: ModelEntry) -> MemoryEstimate:
    """What ``entry`` will take; its config is fetched from the hub, and nothing else.

    Takes seconds, because it imports torch. Raises: OSError or ValueError where there is no config
    that transformers knows.
    """
    config = AutoConfig.from_pretrained(
        entry.source, revision=entry.revision, trust_remote_code=False
    )
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False
        )
    dtype = config.dtype if entry.dtype == "auto" else entry.dtype
    value_bytes = dtype_bytes(dtype)
    sizes = {
        name: weight.numel() * (value_bytes or weight.element_size())
        for name, weight in model.named_parameters()
    }
    return build_estimate(sizes, config.to_dict(), entry, value_bytes)
