"""Which form of the weights a strategy takes, device by device."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InvalidInput
from providers.local.weight_form import FORMS, WeightForm, candidate_forms, possible_forms
from providers.registries.strategy_registry import Strategy

STRATEGIES = ("standard", "optimized", "streaming")
OPTIMIZED = Strategy(key="optimized", promise="fast", dtype="fast", quantize=True)


def choose(strategy: Strategy, possible: tuple[WeightForm, ...], device: str = "cpu") -> object:
    return candidate_forms(strategy, "auto", possible, device_type=device, strategies=STRATEGIES)


@pytest.mark.parametrize(
    ("device", "fast", "int8", "bnb", "expected"),
    [
        ("cpu", "bfloat16", True, False, ("int8", "bfloat16")),
        ("cpu", None, True, False, ("int8",)),
        ("cpu", "bfloat16", False, False, ("bfloat16",)),
        ("cuda", "bfloat16", False, True, ("bfloat16",)),
        ("cuda", "float16", False, False, ("float16",)),
        ("mps", "float16", False, False, ("float16",)),
    ],
)
def test_optimized_considers_what_is_faster_on_the_device(
    device: str, fast: object, int8: bool, bnb: bool, expected: tuple[str, ...]
) -> None:
    possible = possible_forms(device, fast, int8_kernels=int8, bitsandbytes=bnb)  # type: ignore[arg-type]
    assert choose(OPTIMIZED, possible, device) == expected


@pytest.mark.parametrize("dtype", ["int4", "int8", "fast"])
def test_a_strategy_the_device_cannot_do_is_refused_with_the_others(dtype: str) -> None:
    strategy = Strategy.model_validate(
        {"key": "optimized", "promise": "fast", "dtype": dtype, "quantize": True}
    )
    possible = possible_forms("cpu", None, int8_kernels=False, bitsandbytes=False)
    with pytest.raises(InvalidInput) as caught:
        choose(strategy, possible)
    assert caught.value.field == "strategy"
    assert caught.value.cure is not None
    assert "standard, streaming" in caught.value.cure


def test_sixteen_bits_as_a_wish_fall_back_to_the_checkpoint() -> None:
    wish = Strategy(key="quick", promise="fast", dtype="fast")
    assert choose(wish, ("int8", "checkpoint")) == ("checkpoint",)
    assert choose(wish, ("int8", "bfloat16", "checkpoint")) == ("bfloat16",)


@given(
    st.sampled_from(["cpu", "cuda", "mps"]),
    st.sampled_from([None, "bfloat16", "float16"]),
    st.booleans(),
    st.booleans(),
)
def test_the_checkpoints_own_form_is_always_possible(
    device: str, fast: object, int8: bool, bnb: bool
) -> None:
    possible = possible_forms(device, fast, int8_kernels=int8, bitsandbytes=bnb)  # type: ignore[arg-type]
    assert "checkpoint" in possible
    assert set(possible) <= set(FORMS)
    standard = Strategy(key="standard", promise="as it is")
    assert choose(standard, possible, device) == ("checkpoint",)


@pytest.mark.parametrize(
    ("dtype", "quantize", "entry_dtype", "kind"),
    [
        ("checkpoint", False, "auto", "checkpoint"),
        ("fast", False, "bfloat16", "checkpoint"),
        ("fast", False, "auto", "fast"),
        ("fast", True, "bfloat16", "fast"),
        ("int8", False, "auto", "int8"),
    ],
)
def test_strategies_share_weights_of_one_kind(
    dtype: str, quantize: bool, entry_dtype: str, kind: str
) -> None:
    strategy = Strategy.model_validate(
        {"key": "one", "promise": "x", "dtype": dtype, "quantize": quantize}
    )
    assert strategy.weights_kind(entry_dtype) == kind  # type: ignore[arg-type]
