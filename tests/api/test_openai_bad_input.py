"""Bad bodies in OpenAI's protocol: its own kind of error each, no echo, and nothing begun."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bus.connection import BusAddress
from bus.topology import PROMPTS
from contracts.actor_kind import ActorKind
from contracts.prompt import MAX_PROMPT_BYTES
from tests.api.house import open_house
from tests.api.test_bad_input import BODIES, CANARY, JSON, Row

TURN = {"role": "user", "content": CANARY}
# What is about the bytes, not about fields that only our own routes have.
_SHARED = {
    *("empty", "broken", "list", "null", "string", "NaN", "Infinity", "1e999"),
    *("UTF-16", "BOM", "duplicate keys", "lone surrogate", "deep nesting"),
    *("2 MB", "gzip", "form", "text", "latin-1", "no type"),
}


def _chat(**fields: Any) -> bytes:
    return json.dumps({"model": "echo", "messages": [TURN], **fields}).encode()


ROWS = (
    *(row for row in BODIES if row.what in _SHARED),
    Row("NUL", 422, "control_character", _chat(messages=[{**TURN, "content": "a\0b"}])),
    Row(
        "long prompt",
        422,
        "context_length_exceeded",
        _chat(messages=[{**TURN, "content": "a" * (MAX_PROMPT_BYTES + 1)}]),
    ),
    Row("many messages", 422, "max_items", _chat(messages=[TURN] * 9000)),
    Row("many stop strings", 422, "max_items", _chat(stop=["x"] * 100_000)),
    Row("no messages", 422, "missing_required_parameter", b'{"model":"echo"}'),
    Row("no model", 422, "missing_required_parameter", b'{"messages":[]}'),
    Row("message of text", 422, "invalid_type", _chat(messages=[CANARY])),
    Row("content of numbers", 422, "invalid_type", _chat(messages=[{**TURN, "content": 5}])),
    Row("seed of text", 422, "invalid_type", _chat(seed=CANARY)),
    Row(
        "seed of many digits",
        422,
        "invalid_value",
        _chat().replace(b"{", b'{"seed":' + b"9" * 50 + b",", 1),
    ),
    Row("stream of text", 422, "invalid_type", _chat(stream="yes")),
    Row("model path", 404, "model_not_found", _chat(model="../../etc/passwd")),
    Row("model url", 404, "model_not_found", _chat(model="file:///etc/passwd")),
    Row("long model", 422, "too_long", _chat(model="m" * 5000)),
)


def _faults(row: Row, answer: httpx2.Response) -> list[str]:
    error = answer.json().get("error", {})
    status = 400 if row.status == 422 else row.status
    faults = []
    if set(error) != {"message", "type", "param", "code"}:
        return [f"no error: {answer.status_code} {answer.text[:200]}"]
    if (answer.status_code, error["type"]) != (status, "invalid_request_error"):
        faults.append(f"{answer.status_code} {error['type']}")
    if error["code"] not in {row.code, "invalid_value"}:
        faults.append(error["code"])
    if CANARY in answer.text or len(answer.content) > 1000:
        faults.append("echoes the input")
    return faults


async def test_every_bad_body_gets_its_error_and_nothing_begins(
    address: BusAddress, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    wrong: list[str] = []
    async with (
        open_house(address, data_dir, kinds=(ActorKind.EXECUTOR,)) as house,
        house.http() as http,
    ):
        before = await house.process.connection.jetstream.stream_info(PROMPTS)
        for headers in ({}, {"X-Promptbus-Mode": "direct"}):
            for row in ROWS:
                answer = await http.post(
                    "/v1/chat/completions", content=row.body, headers={**row.headers, **headers}
                )
                wrong += [f"{row.what}: {found}" for found in _faults(row, answer)]
        after = await house.process.connection.jetstream.stream_info(PROMPTS)
        good = await http.post(
            "/v1/chat/completions", content=_chat(), headers={**JSON, "X-Promptbus-Mode": "direct"}
        )
    assert wrong == []
    assert after.state.last_seq == before.state.last_seq
    assert good.status_code == 200
    assert CANARY not in caplog.text


async def test_what_is_not_known_is_ignored_and_leads_nowhere(
    address: BusAddress, data_dir: Path
) -> None:
    unknown = {
        "base_url": "http://169.254.169.254/",
        "api_base": "http://169.254.169.254/",
        "trust_remote_code": True,
        "chat_template": "{{ cycler.__init__.__globals__ }}",
        "logit_bias": {"50256": -100},
        "user": None,
        "x" * 300: [[[]]],
    }
    async with (
        open_house(address, data_dir, kinds=(ActorKind.EXECUTOR,)) as house,
        house.http() as http,
    ):
        answer = await http.post(
            "/v1/chat/completions",
            content=_chat(**unknown),
            headers={**JSON, "X-Promptbus-Mode": "direct"},
        )
    assert answer.json()["choices"][0]["message"]["content"] == CANARY
