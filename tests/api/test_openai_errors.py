"""What OpenAI's client raises where promptbus refuses or fails."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionUserMessageParam

from api.openai.answer import SentText
from api.openai.error import error_body, error_response, status_of
from api.problem import RefusedRequest
from bus.connection import BusAddress
from contracts.errors import BusUnavailable, ErrorInfo, QueueFull
from contracts.generation import TextDelta
from tests.api.house import SLOW, SlowExecutor
from tests.api.test_openai import DIRECT, EXECUTOR, LIGHT, talking

TURN: ChatCompletionUserMessageParam = {"role": "user", "content": "hi"}


async def test_models_are_listed_and_found(address: BusAddress, data_dir: Path) -> None:
    async with talking(address, data_dir, kinds=EXECUTOR) as (_, client, _):
        listed = [model async for model in await client.models.list()]
        ids = {model.id for model in listed}
        assert {"auto", "echo", "pocket"} <= ids
        # Known, but not on this machine.
        assert "qwen3-0.6b" not in ids
        assert {model.object for model in listed} == {"model"}
        assert (await client.models.retrieve("echo")).owned_by == "echo"
        assert (await client.models.retrieve("auto")).owned_by == "promptbus"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("no/such")
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


@pytest.mark.parametrize("headers", [{}, DIRECT])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model_is_not_found_before_anything_begins(
    headers: dict[str, str], stream: bool, address: BusAddress, data_dir: Path
) -> None:
    async with talking(address, data_dir, kinds=EXECUTOR) as (_, client, _):
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(
                model="nosuch", messages=[TURN], stream=stream, extra_headers=headers
            )
    assert caught.value.code == "model_not_found"
    assert caught.value.type == "invalid_request_error"
    assert "echo" in caught.value.message


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"n": 2}, "invalid_value", "n"),
    ({"n": True}, "invalid_value", "n"),
    ({"temperature": 3}, "invalid_value", "temperature"),
    ({"temperature": "hot"}, "invalid_type", "temperature"),
    ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": None}, "invalid_type", "messages"),
    ({"messages": [{"role": "user", "content": " "}]}, "empty_prompt", "messages"),
    ({"messages": [{"role": "robot", "content": "hi"}]}, "invalid_value", "messages.0.role"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        "invalid_value",
        "messages.0.content",
    ),
    ({"messages": [{"role": "tool", "content": "4"}]}, "invalid_value", "messages.0.role"),
    ({"tools": [{"type": "function"}]}, "unsupported_parameter", "tools"),
    ({"functions": [{"name": "f"}]}, "unsupported_parameter", "functions"),
    ({"logprobs": True}, "unsupported_parameter", "logprobs"),
    ({"top_logprobs": 3}, "unsupported_parameter", "top_logprobs"),
    ({"modalities": ["text", "audio"]}, "unsupported_parameter", "modalities"),
    ({"audio": {"voice": "ash"}}, "unsupported_parameter", "audio"),
    ({"max_completion_tokens": "5"}, "invalid_type", "max_completion_tokens"),
    ({"response_format": {"type": "json_schema"}}, "invalid_value", "response_format"),
    ({"model": None}, "invalid_type", "model"),
    ({"stop": [""]}, "too_short", "stop.0"),
    ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
    ({"stream_options": 5}, "invalid_type", "stream_options"),
    ({"strategy": "turbo"}, "unknown_strategy", "strategy"),
]


async def test_a_wrong_field_is_named_and_the_client_does_not_try_again(
    address: BusAddress, data_dir: Path
) -> None:
    async with talking(address, data_dir, kinds=EXECUTOR) as (_, _, url):
        async with httpx2.AsyncClient(base_url=url) as http:
            for change, code, param in WRONG:
                body = {"model": "echo", "messages": [TURN], **change}
                answer = await http.post("/chat/completions", json=body, headers=DIRECT)
                error = answer.json()["error"]
                assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
                assert error["type"] == "invalid_request_error"
                assert answer.headers["x-should-retry"] == "false"


async def test_what_is_no_request_is_refused_in_the_same_shape(
    address: BusAddress, data_dir: Path
) -> None:
    async with talking(address, data_dir, kinds=EXECUTOR) as (_, _, url):
        async with httpx2.AsyncClient(base_url=url) as http:
            chat = "/chat/completions"
            json_type = {"content-type": "application/json"}
            answers = [
                (await http.post(chat, content=b"{oops", headers=json_type), 400, "invalid_json"),
                (await http.post(chat, content=b"hi"), 415, "unsupported_media_type"),
                (await http.post(chat, content=b" " * (2 << 20), headers=json_type), 413, None),
                (await http.get(chat), 404, "unknown_url"),
                (await http.post("/embeddings", json={}), 404, "unknown_url"),
                (
                    await http.post(
                        chat,
                        json={"model": "auto", "messages": [TURN]},
                        headers=DIRECT,
                    ),
                    400,
                    "invalid_value",
                ),
                (
                    await http.post(
                        chat,
                        json={"model": "echo", "messages": [TURN]},
                        headers={"X-Promptbus-Mode": "sideways"},
                    ),
                    400,
                    "invalid_value",
                ),
                (
                    await http.post("/completions", json={"model": "echo", "prompt": [1, 2]}),
                    400,
                    "invalid_value",
                ),
            ]
    for answer, status, code in answers:
        assert answer.status_code == status
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        if code is not None:
            assert error["code"] == code


async def test_without_an_executor_the_client_hears_why(
    address: BusAddress, data_dir: Path
) -> None:
    async with talking(address, data_dir, kinds=()) as (_, client, _):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(
                model="echo", messages=[TURN], extra_headers=DIRECT
            )
    assert caught.value.status_code == 503
    assert caught.value.code == "no_executor"
    assert "promptbus actor executor" in caught.value.message


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_run_is_told_as_an_error_and_not_sent_again(
    stream: bool, address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor()
    async with talking(address, data_dir, kinds=LIGHT, slow=slow) as (house, client, _):
        patient = client.with_options(max_retries=3)

        async def cancel_once_it_speaks() -> None:
            with anyio.fail_after(20):
                while True:
                    tokens = await house.process.connection.jetstream.stream_info(
                        "TOKENS", subjects_filter=">"
                    )
                    for name in tokens.state.subjects or {}:
                        await house.client.cancel(name.split(".")[1])
                        return

        await house.process.connection.jetstream.purge_stream("TOKENS")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_once_it_speaks)
            with pytest.raises(openai.APIError) as caught:
                completion: Any = await patient.chat.completions.create(
                    model=SLOW, messages=[TURN], max_tokens=20_000, stream=stream
                )
                async for _ in completion:
                    pass
    assert caught.value.code == "cancelled"
    assert len(slow.cancelled) == 1


def test_every_status_and_code_has_its_place() -> None:
    full = QueueFull("the stream is full").to_wire()
    assert (status_of(full), error_body(full)["error"]["type"]) == (429, "rate_limit_error")
    away = BusUnavailable("NATS is away").to_wire()
    assert error_body(away)["error"]["type"] == "server_error"
    retried = error_response(away)
    assert (retried.headers["x-should-retry"], retried.headers["retry-after"]) == ("true", "1")
    accepted = error_response(away, run_id="0" * 32)
    assert accepted.headers["x-should-retry"] == "false"
    assert "retry-after" not in accepted.headers
    hidden = error_body(ErrorInfo(code="internal", message="/home/ana/secret", status=500))
    assert "ana" not in json.dumps(hidden)


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9))))
def test_what_was_sent_and_the_rest_are_the_whole_answer(
    output: str, deltas: list[tuple[int, int]]
) -> None:
    sent = SentText()
    told = "".join(
        sent.take(TextDelta(offset=offset, text=output[offset : offset + length]))
        for offset, length in deltas
    )
    assert told + sent.rest(output) == output


def test_an_answer_that_was_begun_anew_is_told_as_such() -> None:
    sent = SentText()
    assert sent.take(TextDelta(offset=0, text="one ")) == "one "
    with pytest.raises(RefusedRequest, match="begun anew"):
        sent.rest("other words")
