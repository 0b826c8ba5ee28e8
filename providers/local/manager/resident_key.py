"""What names a set of weights in memory."""

from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

# Model key and form of its weights: strategies that load the same weights share them.
ResidentKey = tuple[str, str]

_SIXTEEN_BIT = ("bfloat16", "float16")


def resident_key(entry: ModelEntry, strategy: Strategy) -> ResidentKey:
    """What must be resident to run ``entry`` with ``strategy``; pure."""
    fast = strategy.dtype == "fast" and entry.dtype not in _SIXTEEN_BIT
    return entry.key, "fast" if fast else "checkpoint"
