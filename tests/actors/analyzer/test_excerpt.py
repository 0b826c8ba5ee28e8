from hypothesis import given
from hypothesis import strategies as st

from actors.analyzer.excerpt import (
    CODE,
    MAX_BODY_CHARS,
    MAX_ZONE_WORDS,
    QUOTE,
    Excerpt,
    fold,
)


def test_an_opening_that_ends_in_a_colon_leaves_the_rest_as_material() -> None:
    excerpt = Excerpt.of("Summarize the text: The sea is blue. Write me a poem about it.")
    assert excerpt.head == "Summarize the text:"
    assert excerpt.tail == ""
    assert excerpt.ends_open


def test_an_ending_set_apart_is_kept() -> None:
    excerpt = Excerpt.of("The sea is blue and very deep.\n\nMake it rhyme please.")
    assert excerpt.tail == "Make it rhyme please."


def test_quotes_and_code_become_marks() -> None:
    excerpt = Excerpt.of('Say "good day" with `print`\n```python\nprint(1)\n```')
    assert "good day" not in excerpt.head
    assert QUOTE.strip() in excerpt.head
    assert CODE.strip() in f"{excerpt.head} {excerpt.tail}"
    assert excerpt.has_fence
    assert excerpt.has_quote


def test_a_prompt_that_is_all_quote_is_read() -> None:
    assert Excerpt.of('"hello my friend"').head == '"hello my friend"'


@given(st.text(max_size=6000))
def test_every_part_is_bounded(text: str) -> None:
    excerpt = Excerpt.of(text)
    assert len(excerpt.head.split()) <= MAX_ZONE_WORDS
    assert len(excerpt.tail.split()) <= MAX_ZONE_WORDS
    # Compatibility decomposition writes one sign as up to eighteen.
    assert len(excerpt.folded_body) <= MAX_BODY_CHARS * 18


def test_folding_takes_case_and_accents_away() -> None:
    assert fold("¿QUÉ ES “AÑO”’s?") == "¿que es “ano”'s?"
