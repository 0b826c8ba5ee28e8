import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.analyzer.length import MAX_SAMPLE_CHARS, estimate_tokens


@given(st.text(max_size=500))
def test_a_text_has_at_most_one_token_a_character(text: str) -> None:
    assert 0 <= estimate_tokens(text) <= len(text)


def test_a_long_text_is_measured_by_its_ends() -> None:
    sentence = "The river runs to the sea, and the sea is never full. "
    long_text = sentence * 1000
    each = estimate_tokens(sentence)
    assert len(long_text) > MAX_SAMPLE_CHARS
    assert estimate_tokens(long_text) == pytest.approx(each * 1000, rel=0.05)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("hello", 1, 1),
        ("What is the capital of France?", 6, 9),
        ("¿Cuál es la capital de Francia?", 7, 12),
        ("123456789", 3, 3),
        ("今日は天気がいい", 6, 10),
    ],
)
def test_estimates_are_near_what_tokenizers_give(text: str, least: int, most: int) -> None:
    assert least <= estimate_tokens(text) <= most
