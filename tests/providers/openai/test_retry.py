from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.openai.retry import (
    LONGEST_DELAY_S,
    MAX_RETRY_AFTER_S,
    PATIENCE_WITH_FALLBACK_S,
    parse_retry_after,
    retry_delay_s,
)

SITUATION = st.fixed_dictionaries(
    {
        "num_failed": st.integers(1, 2000),
        "max_retries": st.integers(0, 2000),
        "retry_after_s": st.none() | st.floats(0, 1e6),
        "elapsed_s": st.floats(0, 1e6),
        "has_fallback": st.booleans(),
        "jitter": st.floats(0, 1),
    }
)


def delay(**fields: Any) -> float | None:
    """The delay in a plain situation but for ``fields``."""
    plain = {
        "num_failed": 1,
        "max_retries": 3,
        "retry_after_s": None,
        "elapsed_s": 0.0,
        "has_fallback": False,
        "jitter": 0.0,
    }
    return retry_delay_s(**{**plain, **fields})


def test_delays_double_and_jitter_takes_up_to_half() -> None:
    assert [delay(num_failed=number) for number in (1, 2, 3, 4)] == [0.25, 0.5, 1.0, None]
    assert delay(jitter=1.0) == 0.125


def test_the_servers_wish_is_the_least_and_too_long_a_one_ends_it() -> None:
    assert delay(retry_after_s=3.0) == 3.0
    assert delay(retry_after_s=0.0) == 0.25
    assert delay(retry_after_s=MAX_RETRY_AFTER_S + 1) is None


@given(SITUATION)
def test_a_delay_is_bounded_and_comes_only_while_tries_are_left(situation: dict[str, Any]) -> None:
    found = retry_delay_s(**situation)
    if found is None:
        return
    assert situation["num_failed"] <= situation["max_retries"]
    assert 0 < found <= max(LONGEST_DELAY_S, MAX_RETRY_AFTER_S)
    assert found >= (situation["retry_after_s"] or 0)
    if situation["has_fallback"]:
        assert situation["elapsed_s"] + found <= PATIENCE_WITH_FALLBACK_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("²", None),
        ("9" * 400, None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
    ],
)
def test_only_plain_seconds_are_read_from_a_header(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text) == seconds
