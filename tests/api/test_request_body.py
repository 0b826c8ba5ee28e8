"""From bytes to a strict model, or to an error with a stable code."""

import json
from typing import Any

import pytest

from api.problem import RefusedRequest
from api.request_body import parse_model
from contracts.generation import DirectRequest
from contracts.prompt import MAX_MESSAGES, MAX_PROMPT_BYTES, PromptRequest

CANARY = "canary-8d1f"


def refusal(body: dict[str, Any], model: type[PromptRequest] | type[DirectRequest]) -> Any:
    with pytest.raises(RefusedRequest) as caught:
        parse_model(json.dumps(body).encode(), model)
    return caught.value.to_wire()


ROWS: list[tuple[dict[str, Any], str, str, float | None]] = [
    ({}, "missing_field", "prompt", None),
    ({"prompt": None}, "missing_field", "prompt", None),
    ({"prompt": 5}, "wrong_type", "prompt", None),
    ({"prompt": ["a"]}, "wrong_type", "prompt", None),
    ({"prompt": ""}, "empty_prompt", "prompt", None),
    ({"prompt": " \n\t "}, "empty_prompt", "prompt", None),
    ({"prompt": "a" * (MAX_PROMPT_BYTES + 1)}, "prompt_too_long", "prompt", MAX_PROMPT_BYTES),
    ({"prompt": "a\x00b"}, "control_character", "prompt", None),
    ({"prompt": "a\x1b[31m"}, "control_character", "prompt", None),
    ({"promt": "hi"}, "unknown_field", "promt", None),
    ({"prompt": "hi", "base_url": CANARY}, "unknown_field", "base_url", None),
    ({"prompt": "hi", "api_base": CANARY}, "unknown_field", "api_base", None),
    ({"prompt": "hi", "trust_remote_code": True}, "unknown_field", "trust_remote_code", None),
    ({"prompt": "hi", "chat_template": CANARY}, "unknown_field", "chat_template", None),
    ({"prompt": "hi", f"{CANARY} <x>": 1}, "unknown_field", "…", None),
    ({"prompt": "hi", "max_tokens": "5"}, "wrong_type", "max_tokens", None),
    ({"prompt": "hi", "max_tokens": True}, "wrong_type", "max_tokens", None),
    ({"prompt": "hi", "max_tokens": 5.0}, "wrong_type", "max_tokens", None),
    ({"prompt": "hi", "max_tokens": 0}, "out_of_range", "max_tokens", 1),
    ({"prompt": "hi", "max_tokens": -1}, "out_of_range", "max_tokens", 1),
    ({"prompt": "hi", "max_tokens": 10**9}, "out_of_range", "max_tokens", 32768),
    ({"prompt": "hi", "max_tokens": 10**30}, "out_of_range", "max_tokens", 32768),
    ({"prompt": "hi", "temperature": -0.1}, "out_of_range", "temperature", 0),
    ({"prompt": "hi", "temperature": "1"}, "wrong_type", "temperature", None),
    ({"prompt": "hi", "top_p": 1.1}, "out_of_range", "top_p", 1),
    ({"prompt": "hi", "seed": -1}, "out_of_range", "seed", 0),
    ({"prompt": "hi", "stop": "x"}, "wrong_type", "stop", None),
    ({"prompt": "hi", "stop": ["x"] * 9}, "max_items", "stop", 8),
    ({"prompt": "hi", "stop": [""]}, "too_short", "stop.0", 1),
    ({"prompt": "hi", "model": ""}, "too_short", "model", 1),
    ({"prompt": "hi", "model": "m" * 201}, "too_long", "model", 200),
    ({"prompt": "hi", "model": 5}, "wrong_type", "model", None),
    ({"messages": [{"role": "tool", "content": "x"}]}, "not_allowed", "messages.0.role", None),
    ({"messages": [{"role": "user"}]}, "missing_field", "messages.0.content", None),
    ({"messages": [{"role": "user", "content": " "}]}, "empty_prompt", "messages", None),
    ({"messages": [{"role": "user", "content": "\x07"}]}, "control_character", "messages", None),
    (
        {"messages": [{"role": "user", "content": "a" * MAX_PROMPT_BYTES}] * 2},
        "prompt_too_long",
        "messages",
        MAX_PROMPT_BYTES,
    ),
]


@pytest.mark.parametrize("model", [PromptRequest, DirectRequest])
@pytest.mark.parametrize(("body", "code", "field", "limit"), ROWS)
def test_a_bad_field_is_named_with_its_code_and_limit(
    body: dict[str, Any],
    code: str,
    field: str,
    limit: float | None,
    model: type[PromptRequest] | type[DirectRequest],
) -> None:
    info = refusal(body, model)
    assert (info.code, info.status, info.field, info.limit) == (code, 422, field, limit)
    assert CANARY not in info.model_dump_json()


def test_more_messages_than_allowed_are_refused() -> None:
    body = {"messages": [{"role": "user", "content": "x"}] * (MAX_MESSAGES + 1)}
    info = refusal(body, PromptRequest)
    assert (info.code, info.field, info.limit) == ("max_items", "messages", MAX_MESSAGES)


def test_a_misspelt_field_is_answered_with_the_nearest_name() -> None:
    assert refusal({"prompt": "hi", "temprature": 1.0}, PromptRequest).cure == (
        "did you mean temperature?"
    )
    assert "prompt" in refusal({"prompt": "hi", "zzz": 1}, PromptRequest).cure


def test_an_unknown_priority_is_refused() -> None:
    info = refusal({"prompt": "hi", "priority": "now"}, PromptRequest)
    assert (info.code, info.field) == ("not_allowed", "priority")


def test_a_prompt_of_exactly_the_limit_is_taken() -> None:
    body = json.dumps({"prompt": "a" * MAX_PROMPT_BYTES}).encode()
    assert parse_model(body, PromptRequest).text == "a" * MAX_PROMPT_BYTES
