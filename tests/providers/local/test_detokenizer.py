from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from providers.local.detokenizer import REPLACEMENT, Detokenizer

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters=REPLACEMENT))


def decode_bytes(ids: Sequence[int]) -> str:
    """A vocabulary in which every token is one byte."""
    return bytes(ids).decode("utf-8", errors="replace")


def pieces_of(ids: bytes) -> list[str]:
    detokenizer = Detokenizer(decode_bytes)
    return [*(detokenizer.push(token_id) for token_id in ids), detokenizer.flush()]


@given(TEXT)
def test_the_pieces_joined_are_the_text_and_none_breaks_a_character(text: str) -> None:
    pieces = pieces_of(text.encode())
    assert "".join(pieces) == text
    assert all(REPLACEMENT not in piece for piece in pieces)


@given(TEXT, st.sampled_from("ñ€😀"), st.integers(1, 3))
def test_an_incomplete_last_character_is_left_out(text: str, last: str, num_missing: int) -> None:
    whole = last.encode()
    cut = whole[: max(1, len(whole) - num_missing)]
    assert "".join(pieces_of(text.encode() + cut)) == text


@given(st.binary(min_size=1, max_size=200))
def test_bytes_that_are_no_text_never_pile_up(ids: bytes) -> None:
    longest = 0

    def counting(ids: Sequence[int]) -> str:
        nonlocal longest
        longest = max(longest, len(ids))
        return decode_bytes(ids)

    detokenizer = Detokenizer(counting)
    for token_id in ids:
        detokenizer.push(token_id)
    assert longest <= 16
