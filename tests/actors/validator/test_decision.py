"""The judgement as a whole: properties on any text, and quality on the labelled outputs."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.validator.decision import ACCEPT_SCORE, Judgement, judge
from actors.validator.finding import FindingName
from benchmarks.validator_quality import load_outputs, measure_quality

MAX_TIME_S = 1.0
NUM_CHARS = 1_000_000

texts = st.text(max_size=400) | st.lists(
    st.sampled_from(
        [
            "the",
            "```",
            "```python\n",
            "{",
            "}",
            '"a": ',
            "\n",
            "- ",
            "1. ",
            "hola",
            ".",
            "def f(",
            "Ã©",
        ]
    ),
    max_size=40,
).map(" ".join)
reasons = st.sampled_from([None, "stop", "length", "cancelled"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
formats = st.one_of(
    st.none(),
    st.just({"type": "text"}),
    st.just({"type": "json_object"}),
    json_values.map(lambda schema: {"type": "json_schema", "json_schema": {"schema": schema}}),
)


def names(judgement: Judgement) -> set[FindingName]:
    return {finding.name for finding in judgement.findings}


@given(prompt=texts, output=texts, reason=reasons, wanted=formats)
@settings(max_examples=300, deadline=None)
def test_any_text_is_judged_alike_twice_and_within_bounds(
    prompt: str, output: str, reason: str | None, wanted: dict[str, object] | None
) -> None:
    first = judge(prompt=prompt, output=output, finish_reason=reason, response_format=wanted)
    again = judge(prompt=prompt, output=output, finish_reason=reason, response_format=wanted)
    assert first == again
    assert 0 <= first.score <= 100
    assert (first.verdict == "accept") == (first.score >= ACCEPT_SCORE)
    assert (first.change is None) == (first.verdict == "accept")
    assert first.score == max(0, 100 - sum(finding.penalty for finding in first.findings))
    assert all(finding.detail.endswith((".", "...")) for finding in first.findings)


@given(
    prompt=texts,
    output=texts,
    task_type=st.sampled_from([None, "chat", "code", "math", "translate", "extract", "other"]),
    language=st.sampled_from([None, "en", "es", "es-MX", "ja", "und"]),
)
@settings(max_examples=100, deadline=None)
def test_hints_never_make_it_fail(
    prompt: str, output: str, task_type: str | None, language: str | None
) -> None:
    judgement = judge(prompt=prompt, output=output, task_type=task_type, language=language)
    assert judgement.verdict in {"accept", "retry"}


@given(output=st.text(alphabet=" \t\r\n\u3000", max_size=50))
def test_a_blank_output_is_always_sent_back_as_empty(output: str) -> None:
    judgement = judge(prompt="Tell me about Rome", output=output)
    assert judgement.verdict == "retry"
    assert names(judgement) == {FindingName.EMPTY}


def test_lone_surrogates_and_control_characters_are_judged() -> None:
    assert judge(prompt="\ud800 what", output="\udfff\x00 ```python\n\x00\n```").score >= 0


HOSTILE = {
    "one letter": "a" * NUM_CHARS,
    "spaces": "x" + " " * NUM_CHARS + "x",
    "newlines": "x" + "\n" * NUM_CHARS + "x",
    "brackets": "[" * NUM_CHARS,
    "nested objects": '{"a":' * (NUM_CHARS // 5),
    "quotes": '"' * NUM_CHARS,
    "apostrophes": "a'" * (NUM_CHARS // 2),
    "backticks": "`" * NUM_CHARS,
    "fences": "```\n" * (NUM_CHARS // 4),
    "code fence": "```javascript\n" + "/*'\"`" * (NUM_CHARS // 5),
    "tags": "<" * NUM_CHARS,
    "digits": "1 " * (NUM_CHARS // 2),
    "words": "one two three " * (NUM_CHARS // 14),
    "equals": "a = " * (NUM_CHARS // 4),
    "list markers": "- " * (NUM_CHARS // 2),
    "mojibake": "Ã" * NUM_CHARS,
    "write me": "write me " * (NUM_CHARS // 9),
    "asterisks": "*a" * (NUM_CHARS // 2),
    "hex": "a1" * (NUM_CHARS // 2),
    "python": "```python\n" + "(" * NUM_CHARS + "\n```",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("wanted", [None, {"type": "json_object"}], ids=["text", "json"])
def test_a_hostile_megabyte_is_judged_in_bounded_time(
    text: str, wanted: dict[str, str] | None
) -> None:
    started_s = time.process_time()
    judge(prompt="Write a Python function", output=text, response_format=wanted)
    judge(prompt=text, output="Fine.", response_format=wanted)
    judge(prompt=text, output=text, finish_reason="length", response_format=wanted)
    assert time.process_time() - started_s < MAX_TIME_S * 3


@pytest.mark.parametrize("fold", ["tune", "held_out"])
def test_verdicts_on_labelled_outputs_are_right(fold: str) -> None:
    quality = measure_quality(load_outputs(), fold)
    assert quality.num_outputs == 100
    assert quality.verdict_accuracy >= 0.92, quality.confusions
    assert quality.false_retry_rate <= 0.06, quality.confusions
    assert quality.finding_recall >= 0.85, quality.confusions


def test_two_mild_findings_together_still_pass() -> None:
    judgement = judge(prompt="Cuenta hasta tres", output="Uno, dos, tres.", finish_reason="length")
    assert names(judgement) == {FindingName.TRUNCATED}
    assert judgement.verdict == "accept"
    assert judgement.score < 100


def test_a_cut_output_is_given_more_room() -> None:
    output = "Rome was founded in 753 BC and grew into an empire that"
    change = judge(prompt="Tell me about Rome", output=output, finish_reason="length").change
    assert change is not None
    assert change.max_tokens_factor == 2.0


def test_a_loop_is_answered_with_a_repetition_penalty_and_no_more_room() -> None:
    output = "The moon is bright and the moon is bright and " * 8
    change = judge(prompt="Tell me about the moon", output=output, finish_reason="length").change
    assert change is not None
    assert change.max_tokens_factor is None
    assert change.repetition_penalty is not None
    assert change.repetition_penalty > 1


def test_the_wrong_language_is_answered_with_the_name_of_the_right_one() -> None:
    output = "The capital is Lima, and it is on the coast of the Pacific."
    change = judge(prompt="¿Cuál es la capital de Perú?", output=output).change
    assert change is not None
    assert change.instruction == "Answer in Spanish."


def test_garbage_asks_for_another_model() -> None:
    change = judge(prompt="Hi there", output="<|im_end|><|im_start|>").change
    assert change is not None
    assert change.another_model
