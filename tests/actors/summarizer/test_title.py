"""Titles from prompts."""

import time
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.summarizer.title import MAX_TITLE_CHARS, make_title


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        (
            "Hello, could you please tell me what the capital of France is?",
            "What the capital of France is",
        ),
        ("Hi there! Thanks for being here. Write a haiku about rain.", "Write a haiku about rain"),
        ("Hola, ¿qué tal? Espero que bien. ¿Qué es un átomo?", "Qué es un átomo"),
        ("Thanks for your help", "Thanks for your help"),
        ("I'm sad today", "I'm sad today"),
        (
            "Please summarise the following text: it was a dark night",
            "Summarise the following text: it was a dark night",
        ),
        ("What is the capital of France?", "What is the capital of France"),
        ("Good morning! I'd like to know how tides work, please.", "How tides work"),
        ("How do I reverse a list in Python? I tried x[::1].", "How do I reverse a list in Python"),
        ("Hola, ¿podrías decirme cuál es la capital de Francia, por favor?", None),
        ("¿Cuál es la capital de Francia?", "Cuál es la capital de Francia"),
        ("Buenos días. Necesito saber cuánto es 2+2", "Cuánto es 2+2"),
        ("Hola buenas tardes, me puedes ayudar con un poema sobre el mar", "Un poema sobre el mar"),
        ("Dr. Smith vs. the U.S. Army. What happened?", "Dr. Smith vs. the U.S. Army"),
        ("What's 3.14 * 2?", "What's 3.14 * 2"),
        ("1. First do this\n2. then that", "First do this"),
        ("# Heading\n\nText", "Heading"),
        ("**Bold** words in `code` and [a link](http://x.y/z)", "Bold words in code and a link"),
        ("Fix this:\n```python\ndef f(): pass\n```", "Fix this"),
        ("```python\ndef area(r):\n    return r\n```", "Python code of 2 lines: area"),
        ('{"name": 1, "age": 2}', "JSON object with 2 keys: name, age"),
        ("iPhone prices in 2020", "iPhone prices in 2020"),
        ("C#", "C#"),
        ("100%", "100%"),
        ("Hello!", "Hello"),
        ("hola", "Hola"),
        ("???", "Untitled"),
    ],
)
def test_a_title_names_what_is_asked(prompt: str, title: str | None) -> None:
    assert make_title(prompt) == (title or "Cuál es la capital de Francia")


def test_a_long_prompt_is_cut_at_a_clause_or_a_word() -> None:
    assert (
        make_title("I'd like to know the difference between TCP and UDP, and when to use which one")
        == "The difference between TCP and UDP"
    )
    assert (
        make_title(
            "write a python function that takes a list of integers and returns the sum of it"
        )
        == "Write a python function that takes a list of integers"
    )


def test_a_prompt_without_words_is_untitled_in_its_language() -> None:
    assert make_title("¡¿?!", "es") == "Sin título"
    assert make_title("\u202e\u200b") == "Untitled"


@pytest.mark.parametrize(
    "unit",
    ["👨‍👩‍👧‍👦", "🇪🇸", "👍🏽", "e\u0301", "한국", "\u1112\u1161\u11ab", "नि", "क्षि", "กำ", "人"],
)
def test_signs_are_never_cut_in_two(unit: str) -> None:
    title = make_title(unit * 100)
    assert len(title) <= MAX_TITLE_CHARS
    assert title
    assert (unit * 100).startswith(title)
    assert len(title) % len(unit) == 0


def test_a_tower_of_marks_is_lowered() -> None:
    title = make_title("z" + "\u0301\u0302\u0303" * 200 + "algo is a word")
    assert title.endswith("algo is a word")
    assert sum(unicodedata.category(char) == "Mn" for char in title) <= 4


def test_hidden_and_turning_signs_are_left_out() -> None:
    assert make_title("pay\u202e\u2066 \x07me\u200b \ud800now\U000e0041") == "Pay me now"


@given(prompt=st.text(max_size=400), language=st.sampled_from([None, "en", "es", "und"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_prompt_gets_one_clean_line(prompt: str, language: str | None) -> None:
    title = make_title(prompt, language)
    assert 0 < len(title) <= MAX_TITLE_CHARS
    assert title == " ".join(title.split())
    assert title[-1] not in ".,;:!?…"
    title.encode()
    assert not unicodedata.category(title[0]).startswith("M") or not prompt[0].isascii()


@given(words=st.lists(st.text("abcdefgñáé", min_size=1, max_size=12), min_size=1, max_size=40))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_words_stay_whole(words: list[str]) -> None:
    title = make_title(" ".join(words))
    assert {word.lower() for word in title.split()} <= {word.lower() for word in words}


@pytest.mark.parametrize(
    "unit", ["a", " ", "hi ", "please, ", "[", "[a](", "(", "# ", "1. ", "é\u0301", "{", "["]
)
def test_a_huge_prompt_costs_no_more_than_its_length(unit: str) -> None:
    started = time.perf_counter()
    make_title(unit * (192 * 1024 // len(unit)))
    assert time.perf_counter() - started < 1
