"""What names a set of weights in memory."""

from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

# Model key and form of its weights: strategies that load the same weights share them.
ResidentKey = tuple[str, str]


def resident_key(entry: ModelEntry, strategy: Strategy) -> ResidentKey:
    """What must be resident to run ``entry`` with ``strategy``; pure."""
    return entry.key, strategy.weights_kind(entry.dtype)
