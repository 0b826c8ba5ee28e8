"""One line of an answer."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.summarizer.extract import MAX_SUMMARY_CHARS, summarize_output

TIDES = """Great question! Here is what you should know:

Tides are the rise and fall of sea levels, caused by the gravity of the Moon and the Sun.
The Moon pulls the water of the oceans towards it. Ships care about this.

- High tides follow the Moon.
- Low tides come in between.

Let me know if you need more!"""
MAREAS = """¡Claro! Aquí tienes la respuesta:

Las mareas son la subida y bajada del nivel del mar por la gravedad de la Luna y del Sol.
La Luna atrae el agua de los océanos. A los barcos les importa.

¿Necesitas algo más?"""


def test_the_sentence_that_says_most_stands_for_the_answer() -> None:
    assert summarize_output(TIDES) == (
        "Tides are the rise and fall of sea levels, caused by the gravity of the Moon and the Sun."
    )
    assert summarize_output(MAREAS, "es") == (
        "Las mareas son la subida y bajada del nivel del mar por la gravedad de la Luna y del Sol."
    )


@pytest.mark.parametrize(
    ("output", "language", "summary"),
    [
        ("Paris.", "en", "Paris."),
        ("The capital of France is Paris.", "en", "The capital of France is Paris."),
        ("  4 \n", "en", "4"),
        ("42%", "en", "42%"),
        ("😀", "en", "😀"),
        ("", "en", "No answer."),
        (" \n\t", "es", "Sin respuesta."),
        ("It costs 3.50 euros. Tax is in.", "en", "It costs 3.50 euros."),
        ('{"name": "Ann", "age": 3}', "en", "JSON object with 2 keys: name, age."),
        ('{"nombre": "Ana"}', "es", "Objeto JSON con 1 clave: nombre."),
        ("[1, 2, 3]", "en", "JSON array of 3 items."),
        ("[1]", "es", "Lista JSON de 1 elemento."),
        ("{}", "en", "JSON object with 0 keys."),
        ('```json\n{"a": 1}\n```', "en", "JSON object with 1 key: a."),
        (
            "```python\ndef add(a, b):\n\n    return a + b\n```",
            "en",
            "Python code of 2 lines: add.",
        ),
        ("```\nx = 1\n```", "en", "Code of 1 line."),
        ("~~~sql\nSELECT 1;\n~~~", "es", "Código SQL de 1 línea."),
        (
            "This adds two numbers:\n```python\ndef add(a, b):\n    return a + b",
            "en",
            "This adds two numbers:",
        ),
        ("{not json} at all", "en", "{not json} at all"),
        ("| a | b |\n|---|---|\n", "en", "| a | b |"),
    ],
)
def test_each_kind_of_answer_is_told_in_its_way(output: str, language: str, summary: str) -> None:
    assert summarize_output(output, language) == summary


def test_a_long_sentence_ends_at_a_word_with_a_mark() -> None:
    summary = summarize_output("The word repeats " + "again and again " * 40)
    assert len(summary) <= MAX_SUMMARY_CHARS
    assert summary.endswith(("again…", "and…"))


def test_an_object_with_many_long_keys_fits() -> None:
    output = json.dumps({f"{'key ' * 30}{number}": number for number in range(100)})
    summary = summarize_output(output)
    assert summary.startswith("JSON object with 100 keys: key key")
    assert len(summary) <= MAX_SUMMARY_CHARS


@given(output=st.text(max_size=600), language=st.sampled_from([None, "en", "es", "zz"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_answer_gets_one_line(output: str, language: str | None) -> None:
    summary = summarize_output(output, language)
    assert 0 < len(summary) <= MAX_SUMMARY_CHARS
    assert summary == " ".join(summary.split())
    summary.encode()


@given(
    value=st.recursive(
        st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_document_is_described(value: object) -> None:
    summary = summarize_output(json.dumps({"value": value}))
    assert summary == "JSON object with 1 key: value."


@pytest.mark.parametrize(
    "unit",
    [
        "a", " ", ".", "a. ", "word ", "[", "[a](", "{", '{"a":', "`", "```\n", "```\na\n", "Dr. ",
        "1. ", "- ", "* ", "é\u0301", "人", "👨‍👩‍👧‍👦", "\n", "a.b", "\u202e", "|", "def ", "_a",
        "The cat sat. ",
    ],
)  # fmt: skip
def test_a_huge_answer_costs_no_more_than_its_length(unit: str) -> None:
    output = unit * (256 * 1024 // len(unit))
    started = time.perf_counter()
    assert len(summarize_output(output)) <= MAX_SUMMARY_CHARS
    assert time.perf_counter() - started < 3
