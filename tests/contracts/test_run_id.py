"""Run ids: UUIDv7, sortable by time, the same for the same place in a stream."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InvalidInput
from contracts.run_id import check_run_id, derive_run_id, new_run_id

times = st.integers(0, 2**48 - 1)


@given(times, st.lists(st.text(max_size=5), max_size=3))
def test_a_run_id_is_a_uuid_of_version_7(time_ms: int, parts: list[str]) -> None:
    run_id = derive_run_id(time_ms, *parts)
    parsed = uuid.UUID(hex=run_id)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == time_ms
    assert check_run_id(run_id) == run_id


@given(times, times)
def test_run_ids_sort_by_time(one: int, other: int) -> None:
    if one < other:
        assert derive_run_id(one, "a") < derive_run_id(other, "a")


@given(times, st.text(), st.text())
def test_a_derived_run_id_depends_on_all_that_it_is_derived_from(
    time_ms: int, one: str, other: str
) -> None:
    assert derive_run_id(time_ms, one) == derive_run_id(time_ms, one)
    assert (derive_run_id(time_ms, one) == derive_run_id(time_ms, other)) == (one == other)


def test_new_run_ids_differ_and_never_go_back_in_time() -> None:
    made = [new_run_id() for _ in range(2000)]
    assert len(set(made)) == len(made)
    assert [run_id[:12] for run_id in made] == sorted(run_id[:12] for run_id in made)


@given(st.text(max_size=40) | st.text("0123456789abcdefABCDEF\n", min_size=31, max_size=33))
def test_only_32_lower_case_hex_digits_are_a_run_id(text: str) -> None:
    valid = len(text) == 32 and set(text) <= set("0123456789abcdef")
    if valid:
        assert check_run_id(text) == text
    else:
        with pytest.raises(InvalidInput) as caught:
            check_run_id(text)
        assert len(text) < 16 or text not in str(caught.value)
