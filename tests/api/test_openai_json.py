"""JSON that OpenAI's clients ask for: they get it, or hear why not."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.openai.answer import Answer
from api.openai.json_answer import SCHEMA_MISMATCH, check_answer, check_format
from api.problem import RefusedRequest
from bus.connection import BusAddress
from contracts.errors import InvalidInput
from contracts.generation import Usage
from contracts.prompt import ResponseFormat
from tests.api.house import House, open_house

OBJECT = ResponseFormat(type="json_object")
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
CANARY = "canary_7f31"


def _schema(schema: Any) -> ResponseFormat:
    return ResponseFormat(type="json_schema", json_schema={"name": "a", "schema": schema})


def _answer(output: str, finish_reason: Any = "stop", *findings: str) -> Answer:
    usage = Usage(prompt_tokens=1, completion_tokens=1)
    return Answer(output, "echo", finish_reason, usage, findings)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_json_is_told_from_what_is_none(value: Any) -> None:
    text = json.dumps(value)
    check_answer(_answer(text), _schema(SCHEMA))
    check_answer(_answer(json.dumps({"a": value})), OBJECT)
    with pytest.raises(RefusedRequest, match="JSON"):
        check_answer(_answer(text), OBJECT)
    with pytest.raises(RefusedRequest, match="JSON"):
        check_answer(_answer(f"Here it is: {text}"), _schema(SCHEMA))
    with pytest.raises(RefusedRequest, match="JSON"):
        check_answer(_answer(text, "stop", SCHEMA_MISMATCH), _schema(SCHEMA))


def test_an_answer_that_was_cut_off_is_told_as_such_and_not_refused() -> None:
    check_answer(_answer('{"colour": "r', "length"), OBJECT)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (None, "must be an object"),
        ([], "must be an object"),
        ({"type": CANARY}, "type is no JSON Schema"),
        ({"properties": {CANARY: {"required": CANARY}}}, "required is no JSON Schema"),
        ({"pattern": "("}, "pattern is no JSON Schema"),
    ],
)
def test_a_schema_that_is_none_is_refused_without_repeating_it(schema: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        check_format(_schema(schema))
    assert CANARY not in str(caught.value)
    check_format(_schema(SCHEMA))


def test_a_schema_of_many_floors_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(900):
        schema = {"not": schema}
    with pytest.raises(InvalidInput, match="too deeply"):
        check_format(_schema(schema))


async def _ask(house: House, **fields: Any) -> httpx2.Response:
    messages = [{"role": "user", "content": "What colour is grass?"}]
    body = {"model": "pocket", "messages": messages, "max_tokens": 40, **fields}
    headers = {"X-Promptbus-Mode": fields.pop("mode", "run")}
    async with house.http() as http:
        return await http.post("/v1/chat/completions", json=body, headers=headers, timeout=60)


async def test_local_models_answer_with_the_json_that_is_asked_for(
    address: BusAddress, data_dir: Path
) -> None:
    wanted = _schema(SCHEMA).model_dump()
    async with open_house(address, data_dir) as house:
        for mode in ("run", "direct"):
            for stream in (False, True):
                answer = await _ask(house, response_format=wanted, mode=mode, stream=stream)
                assert answer.status_code == 200
                text = _text(answer) if stream else _content(answer)
                assert json.loads(text)["colour"] in {"red", "green"}
        free = await _ask(house, response_format={"type": "json_object"})
        assert isinstance(json.loads(_content(free)), dict)


async def test_a_model_that_does_not_answer_with_json_is_not_passed_off(
    address: BusAddress, data_dir: Path
) -> None:
    wanted = {"type": "json_object"}
    async with open_house(address, data_dir) as house:
        for mode in ("run", "direct"):
            answer = await _ask(house, model="echo", response_format=wanted, mode=mode)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (502, "answer_not_json")
            stream = await _ask(house, model="echo", response_format=wanted, mode=mode, stream=True)
            assert stream.status_code == 200
            last = stream.text.split("\n\n")[-3]
            assert json.loads(last.removeprefix("data: "))["error"]["code"] == "answer_not_json"


def _content(answer: httpx2.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def _text(answer: httpx2.Response) -> str:
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
    deltas = [json.loads(line)["choices"][0]["delta"] for line in lines]
    return "".join(delta.get("content", "") for delta in deltas)
