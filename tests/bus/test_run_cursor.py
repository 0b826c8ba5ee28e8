"""Cursors: what is given out can be given back, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.run_cursor import RunCursor
from contracts.errors import InvalidInput

cursors = st.builds(
    RunCursor, st.integers(0, 2**63 - 1), st.integers(1, 1_000_000), st.integers(1, 10**9)
) | st.builds(RunCursor, st.integers(0, 2**63 - 1))


@given(cursors)
def test_a_cursor_reads_back_as_itself(cursor: RunCursor) -> None:
    assert RunCursor.parse(str(cursor)) == cursor


@given(st.text(max_size=30))
def test_other_text_is_refused(text: str) -> None:
    try:
        cursor = RunCursor.parse(text)
    except InvalidInput:
        return
    assert text.isascii()
    assert cursor.sequence >= 0


@pytest.mark.parametrize("text", ["", "-1", "1.", "1.2", "1.0.3", "٣", "1" * 20, "1.1.1.1", "1\n"])
def test_what_looks_like_a_cursor_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a cursor"):
        RunCursor.parse(text)
