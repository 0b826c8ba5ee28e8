"""In which form a model's weights may be held on a device, and which of them a strategy takes."""

from typing import Literal, TypeAlias, get_args

from contracts.errors import InvalidInput
from providers.registries.model_entry import Dtype
from providers.registries.strategy_registry import Strategy

WeightForm = Literal["checkpoint", "bfloat16", "float16", "int8", "int4"]
# Models that were batched here before: key, form and bytes of the weights.
Tried: TypeAlias = set[tuple[str, WeightForm, int]]
FORMS: tuple[WeightForm, ...] = get_args(WeightForm)

_NEEDS = {
    "fast": "neither 16-bit arithmetic nor int8 kernels are to be had on this {device}",
    "int8": "int8 weights need torch's quantized kernels on a CPU, or bitsandbytes with CUDA; "
    "this {device} has neither",
    "int4": "int4 weights need bitsandbytes with CUDA, which this {device} has not",
}


def possible_forms(
    device_type: str, fast: Dtype | None, *, int8_kernels: bool, bitsandbytes: bool
) -> tuple[WeightForm, ...]:
    """The forms that the device runs, the one that is likely fastest first; pure.

    ``fast`` is its 16-bit type. With many requests at a time int8 wins on a CPU, where weights are
    multiplied as they are stored; on CUDA bitsandbytes unpacks them first, which costs more than
    the bandwidth it saves, and is for models that do not fit otherwise.
    """
    sixteen: tuple[WeightForm, ...] = ()
    if fast == "bfloat16" or fast == "float16":  # noqa: PLR1714 - mypy narrows only this
        sixteen = (fast,)
    if device_type == "cpu":
        return (*(("int8",) if int8_kernels else ()), *sixteen, "checkpoint")
    if device_type == "cuda" and bitsandbytes:
        return (*sixteen, "checkpoint", "int8", "int4")
    return (*sixteen, "checkpoint")


def candidate_forms(
    strategy: Strategy,
    entry_dtype: Dtype,
    possible: tuple[WeightForm, ...],
    *,
    device_type: str,
    strategies: tuple[str, ...],
) -> tuple[WeightForm, ...]:
    """The forms to choose from, the likely fastest first; pure.

    Raises: InvalidInput where the device has none of what ``strategy`` promises; the cure names
    the model's other ``strategies``.
    """
    found: tuple[WeightForm, ...]
    if strategy.dtype == "checkpoint":
        found = ("checkpoint",)
    elif strategy.dtype == "fast":
        found = tuple(form for form in possible if _is_fast(form, strategy, device_type))
        if not strategy.quantize:
            # 16-bit weights are a wish then, not a promise.
            found = found if found and entry_dtype not in found else ("checkpoint",)
    else:
        found = (strategy.dtype,) if strategy.dtype in possible else ()
    if not found:
        others = [key for key in strategies if key != strategy.key]
        raise InvalidInput(
            field="strategy",
            reason=f"`{strategy.key}` cannot run here: "
            + _NEEDS[strategy.dtype].format(device=device_type),
            cure=f"choose one of: {', '.join(others) or 'none is left for this model'}",
        )
    return found


def _is_fast(form: WeightForm, strategy: Strategy, device_type: str) -> bool:
    if form in {"int8", "int4"}:
        return strategy.quantize and device_type == "cpu"
    return form != "checkpoint"
