"""One table per finding: what has it, and what only looks like it."""

from typing import Any

import pytest

from actors.validator.decision import judge
from actors.validator.finding import FindingName

JSON_OBJECT = {"type": "json_object"}
PERSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}


def found(prompt: str, output: str, **more: Any) -> set[str]:
    return {str(finding.name) for finding in judge(prompt=prompt, output=output, **more).findings}


def assert_named(name: FindingName, prompt: str, output: str, **more: Any) -> None:
    judgement = judge(prompt=prompt, output=output, **more)
    assert name in {finding.name for finding in judgement.findings}
    assert judgement.verdict == "retry"


@pytest.mark.parametrize("output", ["", " \n\t", "...", "…", "---", "```python\n```", "1.\n2.\n3."])
def test_nothing_said_is_empty(output: str) -> None:
    assert_named(FindingName.EMPTY, "Give me three ideas", output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("Which operator tests equality?", "=="),
        ("Send me a thumbs up", "👍"),
        ("What is 2 + 2?", "4"),
        ("¿Eres un robot?", "Sí."),
        ("Write SOS in Morse", "... --- ..."),
    ],
)
def test_a_short_answer_is_not_empty(prompt: str, output: str) -> None:
    assert not found(prompt, output)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Rome was founded in 753 BC and later grew into an empi", "length"),
        ("Rome was founded in 753 BC and later grew into an empire of the", "stop"),
        ("Rome was founded in 753 BC and later grew into an empire, which", None),
        ("```python\nprint('Rome')", "stop"),
        ("- Rome is old.\n- Rome is big.\n-", "stop"),
    ],
)
def test_an_open_end_is_truncated(output: str, reason: str | None) -> None:
    assert_named(FindingName.TRUNCATED, "Tell me about Rome", output, finish_reason=reason)


@pytest.mark.parametrize(
    ("prompt", "output", "reason"),
    [
        ("Tell me about Rome", "Rome is the capital of Italy. It is old", "stop"),
        ("Name a city", "Rome", "stop"),
        ("Tell me about Rome", "Rome is the capital of Italy, and it is very old.", "length"),
        ("Write a slogan", "Your future, our business", None),
        ("Write a tweet about bread", "Fresh bread every day! Come by. #bakery #bread", None),
    ],
)
def test_a_finished_text_is_let_through(prompt: str, output: str, reason: str | None) -> None:
    assert judge(prompt=prompt, output=output, finish_reason=reason).verdict == "accept"


@pytest.mark.parametrize(
    "output",
    [
        "the the the the the the",
        "Bees make honey. Bees make honey. Bees make honey. Bees make honey.",
        "Bees make honey and bees make honey and bees make honey and bees make honey and",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "1. Bees make honey.\n2. Bees make honey.\n3. Bees make honey.",
    ],
)
def test_going_round_in_circles_is_repetition(output: str) -> None:
    assert_named(FindingName.REPETITION, "Tell me about bees", output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("Laugh", "ha ha ha ha ha ha ha"),
        ("Say no", "no, no, no, no!"),
        (
            "Write a song",
            "Come back, come back to me\nCome back, come back to me\nThe rain is cold",
        ),
        ("Table of 7", "7 x 1 = 7\n7 x 2 = 14\n7 x 3 = 21\n7 x 4 = 28\n7 x 5 = 35"),
        ("What is 10^18?", "1,000,000,000,000,000,000"),
        ("Repeat banana five times", "banana banana banana banana banana"),
        ("Draw a table", "| a | b |\n|---|---|\n| 1 | 1 |\n| 1 | 1 |\n| 1 | 1 |"),
    ],
)
def test_repeating_by_nature_is_let_through(prompt: str, output: str) -> None:
    assert "repetition" not in found(prompt, output)


def test_the_words_that_repeat_are_named() -> None:
    judgement = judge(prompt="Tell me about bees", output="so the the the the the the the end")
    assert judgement.findings[0].detail == "The word 'the' is repeated 7 times in a row."


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("¿Qué es un volcán?", "A volcano is an opening in the crust of the earth."),
        ("How do vaccines work?", "Entrenan al sistema inmunitario para reconocer un virus."),
        ("Translate to Spanish: Where is the station?", "Où est la gare, s'il vous plaît ?"),
        ("Answer in Spanish: who painted it?", "It was painted by Picasso in 1937."),
        ("What is the capital of Japan?", "日本の首都は東京です。"),
    ],
)
def test_another_language_than_asked_is_found(prompt: str, output: str) -> None:
    assert_named(FindingName.WRONG_LANGUAGE, prompt, output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("Translate to Spanish: Where is the station?", "¿Dónde está la estación?"),
        ("¿Cómo se dice 'te quiero' en inglés?", 'Se dice "I love you".'),
        ("How do you say 'good evening' in French?", 'In French, you say "bonsoir".'),
        ("¿Qué significa 'break a leg'?", "«Break a leg» se usa para desear suerte a alguien."),
        ("Responde en inglés: ¿cómo te llamas?", "My name is Ada. Nice to meet you!"),
        ("Can you speak Spanish?", "¡Sí, claro! Hablo español. ¿En qué puedo ayudarte?"),
        ("Escribe una función que sume", "def add(a, b):\n    return a + b"),
    ],
)
def test_the_language_asked_for_is_let_through(prompt: str, output: str) -> None:
    assert "wrong_language" not in found(prompt, output)


@pytest.mark.parametrize(
    "output",
    [
        '{"a": 1',
        "{'a': 1}",
        '{"a": 1,}',
        '{"a": 1} // one',
        'Here it is: {"a": 1}',
        '```json\n{"a": 1}\n```',
        '{"a": NaN}',
        '{"a": 1}{"b": 2}',
    ],
)
def test_what_a_parser_refuses_is_invalid_json(output: str) -> None:
    assert_named(FindingName.INVALID_JSON, "Give me data", output, response_format=JSON_OBJECT)


@pytest.mark.parametrize(
    "output", ['{"a": 1}\n', "{}", '\n\n{"a": [1, {"b": null}]}', '{"ñ": "}"}']
)
def test_bare_json_is_let_through(output: str) -> None:
    assert not found("Give me data", output, response_format=JSON_OBJECT)


def test_json_asked_for_in_words_may_stand_in_a_fence() -> None:
    assert not found("Extract the name as JSON: I am Bob", '```json\n{"name": "Bob"}\n```')


@pytest.mark.parametrize(
    "output",
    ['{"name": "A"}', '{"name": "A", "age": "3"}', '{"name": "A", "age": 3, "b": 1}', "[]", "3"],
)
def test_json_that_the_schema_refuses_is_a_mismatch(output: str) -> None:
    assert_named(FindingName.SCHEMA_MISMATCH, "Who is it?", output, response_format=PERSON)


def test_json_that_fits_the_schema_is_let_through() -> None:
    assert not found("Who is it?", '{"name": "A", "age": 3}', response_format=PERSON)


def test_an_array_is_no_json_object() -> None:
    assert_named(FindingName.SCHEMA_MISMATCH, "Data", "[1, 2]", response_format=JSON_OBJECT)


def test_an_unusable_schema_is_not_held_against_the_answer() -> None:
    unusable = {"type": "json_schema", "json_schema": {"schema": {"type": "strnig"}}}
    assert not found("Data", "{}", response_format=unusable)


@pytest.mark.parametrize(
    "output",
    [
        "def f(:\n    return 1",
        "```python\ndef f(x)\n    return x\n```",
        "```python\ndef f(x):\nreturn x\n```",
        "```python\nprint('Hello)\n```",
        "```javascript\nfunction f() {\n  return 1;\n```",
    ],
)
def test_code_with_a_syntax_error_does_not_parse(output: str) -> None:
    assert_named(FindingName.CODE_DOES_NOT_PARSE, "Write a Python function", output)


@pytest.mark.parametrize(
    "output",
    [
        "```python\nwhile (chunk := f.read(10)):\n    print(chunk)\n```",
        "```python\nmatch x:\n    case [1, *rest]:\n        pass\n```",
        "```python\n@cache\nasync def f():\n    async for x in y:\n        yield x\n```",
        "```python\n>>> f(1)\n2\n```",
        "```python\nIn [1]: %timeit f()\n10 µs per loop\n```",
        "```python\npip install requests\n```",
        "```python\n    def f(self):\n        return 1\n```",
        "```haskell\nf :: [a -> b\n```",
        "a, b = b, a",
    ],
)
def test_code_that_parses_is_let_through(output: str) -> None:
    assert not found("Write a Python function", output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("How do plants make oxygen?", "How do plants make oxygen?"),
        ("How do plants make oxygen?", "Question: How do plants make oxygen?"),
        ("Explica qué es un átomo con palabras", "Explica qué es un átomo con palabras."),
        ("Extract the date: It began on 3 May", "Extract the date: It began on 3 May"),
        ("Translate to Spanish: I lost my keys there", "I lost my keys there"),
        ("Name a parrot that talks a lot", "name a parrot that talks a lot"),
    ],
)
def test_the_prompt_again_is_an_echo(prompt: str, output: str) -> None:
    assert_named(FindingName.ECHO, prompt, output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("Repeat after me: I am a robot", "I am a robot"),
        ("Correct this: he have a dog", "He has a dog"),
        ("Good night", "Good night!"),
        ("What is the capital of France?", "The capital of France is Paris."),
    ],
)
def test_saying_again_what_should_be_is_no_echo(prompt: str, output: str) -> None:
    assert not found(prompt, output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("Write a Python script", "Lorem ipsum dolor sit amet, consectetur adipiscing elit."),
        ("Write a Python function that adds", "My grandmother told us stories of the old days."),
        ("What is 12 times 12?", "Multiplication is one of the basic operations."),
        ("Translate to Spanish: See you at the office", "See you at the office"),
        ("¿Cuánto es 34 más 67?", "Los osos son mamíferos que viven en el bosque y comen miel."),
        ("How do I fix a flat tire?", "Mix the flour and the sugar, add two eggs and bake it."),
        (
            "Summarize: Tom lost his dog.",
            "Tom, who lived in a small town by the sea with his family, lost his dog in May.",
        ),
    ],
)
def test_what_was_not_asked_for_is_off_task(prompt: str, output: str) -> None:
    assert_named(FindingName.OFF_TASK, prompt, output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("What is 3 + 4?", "Seven"),
        ("What is the answer to 12 / 0?", "It is undefined."),
        ("Write a script for a video about jazz", "Welcome back! Today we talk about jazz."),
        ("Can you write code?", "Yes, I can. Tell me which language you need."),
        ("Translate to Spanish: OK", "OK"),
        ("What is 5 minus 5?", "Nothing is left of it, so the answer is zero."),
        ("Escribe 'sin clase' dos veces", "Sin clase hoy.\nSin clase hoy."),
        (
            "Describe a day at a bank",
            "Coffee, a queue of umbrellas, and a child who counts the fish.",
        ),
        ("Why is chess hard?", "Because the number of positions explodes and one slip loses."),
        ("How does a bank earn?", "It lends deposits at a higher rate than it pays to savers."),
        ("What causes tides?", "The gravity of the moon and the sun."),
        ("Who was my teacher in 1999?", "I don't know, as I have no information about you."),
    ],
)
def test_an_answer_in_other_words_is_on_task(prompt: str, output: str) -> None:
    assert not found(prompt, output)


@pytest.mark.parametrize(
    "output",
    [
        "<|im_start|>assistant\n<|im_end|>",
        "La canciÃ³n es muy bonita y estÃ¡ en espaÃ±ol",
        "x8#kq!!zz@@ ;;;; vvb%% $$kd ^^^ %%% &&& ~~~",
        "asdkjh qwlekj zxmcnb qpwoei alskdj zmxnvb",
        "qwrtp sdfgh zxcvb nmlkj",
        "4f8a9c0d1e2b3a4f5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d",
        "\ufffd\ufffd\ufffd\ufffd\ufffd",
        "!!!! ,,,, ;;;; ???? #### @@@@ %%%% &&&& (((( )))) ,,,,",
        "Sev ql\x00\x01\x02 trrr \x03\x04 mmm",
    ],
)
def test_noise_is_garbage(output: str) -> None:
    assert_named(FindingName.GARBAGE, "Cuéntame un chiste", output)


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("Reply only with emojis", "😄🌞🏖️🍹🎉😄🌞🏖️🍹🎉"),
        ("Write the derivative", "$$\\frac{d}{dx}\\sin(x^2) = 2x\\cos(x^2)$$"),
        ("Base64 of hello world", "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ="),
        ("Give me a price list", "Tea $2 | Cake $3 | Soup $4 & bread: see https://a.io/?x=1&y=2"),
        ("What units are there?", "mm, cm, dm, m, km, kg, ml and many more of that sort"),
        ("Draw a box in ASCII", "+--------+\n|        |\n+--------+"),
        ("Regex for an email", "[\\w.+-]+@[\\w-]+\\.[\\w.]+"),
    ],
)
def test_signs_asked_for_are_no_garbage(prompt: str, output: str) -> None:
    assert not found(prompt, output)
