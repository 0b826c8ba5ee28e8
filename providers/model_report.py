"""What a gateway says about one of its models."""

from collections.abc import Sequence

from contracts.presence import ModelReport
from providers.model_hosting import HostsModels
from providers.provider import LoadedModel, Provider
from providers.registries.model_entry import Dtype, ModelEntry
from providers.registries.strategy_registry import Strategy

# What a checkpoint of unknown dtype is taken for: nearly all published ones are 16 bits wide.
_BYTES_PER_PARAMETER: dict[Dtype, int] = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 2}


def build_model_report(
    entry: ModelEntry,
    provider: Provider,
    *,
    strategies: Sequence[Strategy],
    loaded: Sequence[LoadedModel],
) -> ModelReport:
    """The report on ``entry``; ``loaded`` are its residencies, the most recently used last.

    Size and counts are measured where the model is resident, else estimated from the entry.
    """
    resident = [state for state in loaded if state.loading is None]
    loading = [state.loading for state in loaded if state.loading is not None]
    newest = resident[-1] if resident else None
    return ModelReport(
        model=entry.key,
        provider=provider.name,
        source=provider.source,
        strategies=tuple(strategy.key for strategy in strategies),
        default_strategy=entry.default_strategy,
        num_parameters=(newest.num_parameters if newest else None) or entry.num_parameters,
        size_bytes=sum(state.size_bytes or 0 for state in resident)
        or _expected_bytes(entry, provider, strategies),
        context_tokens=(newest.context_tokens if newest else None) or entry.context_tokens,
        good_at=tuple(str(task_type) for task_type in entry.good_at),
        rank=entry.rank,
        available=provider.holds(entry),
        resident=newest is not None or not provider.loads_models,
        resident_strategy=newest.strategy if newest else None,
        loading=loading[-1] if loading else None,
        pinned=newest is not None and newest.pinned,
        slots=newest.slots if newest else 1,
        num_running=sum(state.num_running for state in resident),
        num_waiting=provider.num_waiting(entry.key) if isinstance(provider, HostsModels) else 0,
        generation_s=newest.generation_s if newest else None,
    )


def _expected_bytes(
    entry: ModelEntry, provider: Provider, strategies: Sequence[Strategy]
) -> int | None:
    default = next((one for one in strategies if one.key == entry.default_strategy), None)
    if isinstance(provider, HostsModels) and default is not None:
        size_bytes = provider.size_bytes(entry, default)
        if size_bytes is not None:
            return size_bytes
    return _estimated_bytes(entry)


def _estimated_bytes(entry: ModelEntry) -> int | None:
    if entry.is_remote:
        return 0
    if entry.num_parameters is None:
        return None
    return entry.num_parameters * _BYTES_PER_PARAMETER[entry.dtype]
