"""Prompts: what no model should be given is refused, and the field is named."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from contracts.envelope import first_problem
from contracts.generation import DirectRequest
from contracts.prompt import (
    MAX_MESSAGES,
    MAX_PROMPT_BYTES,
    ChatMessage,
    Priority,
    PromptRequest,
    SubmitPrompt,
)
from contracts.run_id import derive_run_id, new_run_id
from tests.contracts.samples import prompts, samples

USER = {"role": "user", "content": "hi"}


def refuse(cls: type[PromptRequest | DirectRequest], body: str) -> tuple[str, str]:
    """Field and reason with which ``cls`` refuses that JSON."""
    with pytest.raises(ValidationError) as caught:
        cls.model_validate_json(body)
    return first_problem(caught.value)


BAD_FIELDS: list[tuple[str, str]] = [
    ("prompt", '""'),
    ("prompt", '"  \\n\\t "'),
    ("prompt", '"\\u00a0\\u2003"'),
    ("prompt", '"a\\u0000b"'),
    ("prompt", '"\\u001b[31m"'),
    ("prompt", '"\\u007f"'),
    ("prompt", json.dumps("x" * (MAX_PROMPT_BYTES + 1))),
    ("prompt", json.dumps("é" * (MAX_PROMPT_BYTES // 2 + 1), ensure_ascii=False)),
    ("prompt", "5"),
    ("prompt", "true"),
    ("prompt", "[]"),
    ("max_tokens", "0"),
    ("max_tokens", "-1"),
    ("max_tokens", "1000000000"),
    ("max_tokens", '"5"'),
    ("max_tokens", "true"),
    ("max_tokens", "5.0"),
    ("max_tokens", "5.5"),
    ("max_tokens", "1e400"),
    ("max_tokens", "9" * 4000),
    ("temperature", "-0.1"),
    ("temperature", "2.1"),
    ("temperature", "NaN"),
    ("temperature", "Infinity"),
    ("temperature", '"1"'),
    ("temperature", "true"),
    ("top_p", "0"),
    ("top_p", "1.01"),
    ("seed", "-1"),
    ("seed", "4294967296"),
    ("stop", '[""]'),
    ("stop", '"x"'),
    ("stop", json.dumps(["x"] * 9)),
    ("model", '""'),
    ("model", json.dumps("m" * 201)),
    ("strategy", json.dumps("s" * 41)),
    ("response_format", '{"type":"xml"}'),
    ("response_format", json.dumps({"type": "json_schema", "json_schema": {"a": "x" * 40_000}})),
    ("messages", "{}"),
    ("messages", json.dumps([USER] * (MAX_MESSAGES + 65))),
    ("messages", '[{"role":"robot","content":"x"}]'),
    ("messages", '[{"role":"user"}]'),
    ("messages", '[{"role":"user","content":"a\\u0000"}]'),
    ("promt", '"a misspelt field"'),
]
ORCHESTRATED_ONLY: list[tuple[str, str]] = [
    ("deadline_s", "0"),
    ("deadline_s", "-1"),
    ("deadline_s", "86401"),
    ("deadline_s", "NaN"),
    ("deadline_s", '"1"'),
    ("max_attempts", "0"),
    ("max_attempts", "11"),
    ("max_attempts", "true"),
    ("session_id", '""'),
    ("session_id", '"a\\u0000b"'),
    ("session_id", json.dumps("s" * 129)),
    ("priority", '"urgent"'),
    ("priority", "1"),
    ("run_id", f'"{derive_run_id(1_700_000_000_000, "prompt")}"'),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS + ORCHESTRATED_ONLY)
def test_a_bad_field_of_a_prompt_is_refused_by_name(field: str, value: str) -> None:
    given_prompt = "" if field == "prompt" else '"prompt":"hello",'
    where, reason = refuse(PromptRequest, f'{{{given_prompt}"{field}":{value}}}')
    assert where.split(".")[0] == field
    assert reason


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_bad_field_of_a_direct_request_is_refused_by_name(field: str, value: str) -> None:
    given_prompt = "" if field == "prompt" else '"prompt":"hello",'
    where, _ = refuse(DirectRequest, f'{{{given_prompt}"{field}":{value}}}')
    assert where.split(".")[0] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "prompt"),
        ('{"prompt":null}', "prompt"),
        ('{"messages":[]}', "prompt"),
        ('{"messages":[{"role":"user","content":"  "}]}', "messages"),
        ('{"messages":[{"role":"assistant","content":"x"}]}', "messages"),
        ('{"messages":[{"role":"system","content":"x"}]}', "messages"),
        (
            '{"messages":[{"role":"system","content":"x"},{"role":"user","content":" "}]}',
            "messages",
        ),
        ('{"prompt":"\\ud800"}', "body"),
        ("", "body"),
        ("[]", "body"),
    ],
)
def test_a_prompt_without_anything_to_answer_is_refused(body: str, field: str) -> None:
    assert refuse(PromptRequest, body)[0] == field


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_a_lone_surrogate_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        PromptRequest(prompt=text)


def test_messages_may_be_longer_than_the_prompt_limit_only_together_below_it() -> None:
    half = {"role": "user", "content": "x" * (MAX_PROMPT_BYTES // 2)}
    assert PromptRequest.model_validate_json(json.dumps({"messages": [half, half]}))
    where, reason = refuse(PromptRequest, json.dumps({"messages": [half, half, USER]}))
    assert where == "messages"
    assert str(MAX_PROMPT_BYTES) in reason


@given(prompts)
def test_a_prompt_without_control_characters_is_taken_as_it_is(text: str) -> None:
    assert PromptRequest(prompt=text).text == text


@given(samples(PromptRequest))
@settings(deadline=None)
def test_a_request_becomes_the_command_that_submits_it(request: PromptRequest) -> None:
    run_id = new_run_id()
    command = SubmitPrompt.of(request, run_id)
    assert command.run_id == run_id
    assert command.text == request.text
    assert command.conversation() == request.conversation()
    assert command.response_format == request.response_format


@given(samples(DirectRequest))
@settings(deadline=None)
def test_a_direct_request_keeps_every_wish_on_its_way_to_the_gateway(
    request: DirectRequest,
) -> None:
    generation = request.to_generation()
    kept: dict[str, Any] = {name: getattr(request, name) for name in type(generation).model_fields}
    assert {name: getattr(generation, name) for name in kept} == kept


def test_the_prompt_comes_after_the_messages() -> None:
    request = PromptRequest(
        prompt="and this?", messages=(ChatMessage(role="assistant", content="that"),)
    )
    assert request.text == "and this?"
    assert [turn.role for turn in request.conversation()] == ["assistant", "user"]


def test_a_prompt_over_http_is_interactive_unless_it_says_otherwise() -> None:
    assert PromptRequest(prompt="hi").priority is Priority.INTERACTIVE
