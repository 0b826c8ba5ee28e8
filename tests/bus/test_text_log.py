"""The text of an attempt, whatever order and however often its pieces come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.text_log import MAX_PIECE_CHARS, TextLog

texts = st.text("ab🦙é", max_size=30)


class Reader:
    """Puts the text together as a client does: a piece replaces what stood from there on."""

    def __init__(self, log: TextLog) -> None:
        self._log = log
        self._num_rewinds = 0
        self.text = ""

    def read(self) -> None:
        """Take all there is."""
        offset = min((len(self.text), *self._log.rewinds[self._num_rewinds :]))
        self._num_rewinds = len(self._log.rewinds)
        self.text = self.text[:offset]
        while piece := self._log.read(len(self.text), 3):
            self.text += piece


@given(texts, st.lists(st.tuples(st.integers(0, 10), st.integers(1, 8), st.booleans())))
def test_pieces_that_come_twice_or_overlap_are_told_once(
    whole: str, pieces: list[tuple[int, int, bool]]
) -> None:
    log = TextLog()
    reader = Reader(log)
    for num_again, num_chars, reads in (*pieces, (0, len(whole) + 1, True)):
        begin = max(0, log.end - num_again)
        assert log.add(begin, whole[begin : begin + num_chars])
        if reads:
            reader.read()
    assert reader.text == whole
    assert log.rewinds == []


@given(texts, texts, texts, st.lists(st.integers(1, 8), min_size=1), st.integers(1, 3))
def test_readers_end_with_what_was_answered(
    first: str, second: str, answer: str, sizes: list[int], reads_every: int
) -> None:
    log = TextLog()
    reader = Reader(log)
    for text in (first, second):  # the second executor begins the attempt anew
        begin, num_pieces = 0, 0
        while begin < len(text):
            num_chars = sizes[num_pieces % len(sizes)]
            assert log.add(begin, text[begin : begin + num_chars])
            begin += num_chars
            num_pieces += 1
            if num_pieces % reads_every == 0:
                reader.read()
    log.settle(answer)
    reader.read()
    assert reader.text == answer
    late = Reader(log)
    late.read()
    assert late.text == answer


def test_a_piece_behind_a_gap_is_not_taken() -> None:
    log = TextLog()
    assert log.add(0, "Once")
    assert not log.add(10, "time")
    assert (log.read(0), log.end) == ("Once", 4)
    log.skip_to(10)
    assert log.add(10, "time")
    assert (log.read(0), log.read(10), log.begin) == ("", "time", 10)
    assert not log.add(2, "ce")
    log.settle("Once upon a time")
    assert log.read(0) == "Once upon a time"
    assert log.rewinds[-1] == 0


@pytest.mark.parametrize("num_chars", [1, MAX_PIECE_CHARS - 1, MAX_PIECE_CHARS + 1])
def test_a_long_text_is_read_in_parts(num_chars: int) -> None:
    log = TextLog()
    for index in range(0, num_chars, 1000):
        log.add(index, "x" * min(1000, num_chars - index))
    assert len(log.read(0)) == min(num_chars, MAX_PIECE_CHARS)
    assert log.read(num_chars) == ""
    assert log.read(num_chars - 1) == "x"
