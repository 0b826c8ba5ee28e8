"""Bad requests over HTTP: a clear problem each, no echo, and the same process serves on."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.prompt import MAX_PROMPT_BYTES
from contracts.run_id import new_run_id
from tests.api.house import open_house

CANARY = "canary-51c9"
JSON = {"content-type": "application/json"}
ROUTES = ("/inference/", "/orchestrator/run?wait_s=0")
OK = {"prompt": CANARY, "model": "echo"}


@dataclass(frozen=True)
class Row:
    """A request and the answer it must get."""

    what: str
    status: int
    code: str
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


def _json(**fields: Any) -> bytes:
    return json.dumps({**OK, **fields}).encode()


BODIES = (
    Row("empty", 400, "invalid_json", b""),
    Row("broken", 400, "invalid_json", b"{"),
    Row("list", 422, "not_object", b"[]"),
    Row("null", 422, "not_object", b"null"),
    Row("string", 422, "not_object", f'"{CANARY}"'.encode()),
    Row("duplicate keys", 400, "duplicate_key", b'{"prompt":"a","prompt":"b"}'),
    Row("misspelt field", 422, "unknown_field", b'{"promt":"' + CANARY.encode() + b'"}'),
    Row("no prompt", 422, "missing_field"),
    Row("prompt int", 422, "wrong_type", _json(prompt=5)),
    Row("prompt list", 422, "wrong_type", _json(prompt=[CANARY])),
    Row("blank prompt", 422, "empty_prompt", _json(prompt="  ")),
    Row("long prompt", 422, "prompt_too_long", _json(prompt="a" * (MAX_PROMPT_BYTES + 1))),
    Row("NaN", 422, "not_finite", b'{"prompt":"a","temperature":NaN}'),
    Row("Infinity", 422, "not_finite", b'{"prompt":"a","temperature":Infinity}'),
    Row("1e999", 422, "not_finite", b'{"prompt":"a","temperature":1e999}'),
    Row("string for int", 422, "wrong_type", _json(max_tokens="5")),
    Row("true for int", 422, "wrong_type", _json(max_tokens=True)),
    Row("float for int", 422, "wrong_type", _json(max_tokens=5.0)),
    Row("max_tokens 0", 422, "out_of_range", _json(max_tokens=0)),
    Row("max_tokens -1", 422, "out_of_range", _json(max_tokens=-1)),
    Row("max_tokens 1e9", 422, "out_of_range", _json(max_tokens=10**9)),
    Row("temperature", 422, "out_of_range", _json(temperature=-0.1)),
    Row("top_p", 422, "out_of_range", _json(top_p=1.1)),
    Row("lone surrogate", 422, "invalid_unicode", b'{"prompt":"\\ud800"}'),
    Row("NUL", 422, "control_character", _json(prompt="a\0b")),
    Row("UTF-16", 400, "invalid_json", _json().decode().encode("utf-16")),
    Row("BOM", 400, "invalid_json", b"\xef\xbb\xbf" + _json()),
    Row("many stop strings", 422, "max_items", _json(stop=["x"] * 100_000)),
    Row(
        "many messages", 422, "max_items", _json(messages=[{"role": "user", "content": ""}] * 9000)
    ),
    Row("deep nesting", 400, "invalid_json", b'{"a":' * 50_000),
    Row("2 MB", 413, "body_too_large", b'{"prompt":"' + b"a" * 2**21 + b'"}'),
    Row("gzip", 415, "unsupported_encoding", b"\x1f\x8b", {**JSON, "content-encoding": "gzip"}),
    Row("form", 415, "unsupported_media_type", b"a=b", {"content-type": "multipart/form-data"}),
    Row("text", 415, "unsupported_media_type", _json(), {"content-type": "text/plain"}),
    Row("no type", 415, "unsupported_media_type", _json(), {}),
    Row(
        "latin-1",
        415,
        "unsupported_media_type",
        _json(),
        {"content-type": "application/json; charset=latin1"},
    ),
    Row("unknown model", 422, "unknown_model", _json(model="nosuch")),
    Row("model path", 422, "unknown_model", _json(model="../../etc/passwd")),
    Row("model url", 422, "unknown_model", _json(model="file:///etc/passwd")),
    Row("unknown strategy", 422, "unknown_strategy", _json(strategy="turbo")),
    Row("base_url", 422, "unknown_field", _json(base_url="http://169.254.169.254/")),
    Row("trust_remote_code", 422, "unknown_field", _json(trust_remote_code=True)),
    Row("long headers", 431, "headers_too_large", _json(), {**JSON, "x-long": "a" * 70_000}),
)


async def test_every_bad_body_gets_its_problem_and_the_server_serves_on(
    address: BusAddress, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    wrong: list[str] = []
    async with (
        open_house(address, data_dir, kinds=(ActorKind.EXECUTOR,)) as house,
        house.http() as http,
    ):
        for path in ROUTES:
            for row in BODIES:
                answer = await http.post(path, content=row.body, headers=row.headers)
                wrong += [f"{path} {row.what}: {found}" for found in _faults(row, answer)]
                good = await http.post("/inference/", json=OK)
                assert good.status_code == 200, row.what
    assert wrong == []
    assert CANARY not in caplog.text


def _faults(row: Row, answer: httpx2.Response) -> list[str]:
    faults = []
    if answer.headers.get("content-type") != "application/problem+json":
        return [f"no problem: {answer.status_code} {answer.text[:200]}"]
    problem = answer.json()
    if (answer.status_code, problem["code"]) != (row.status, row.code):
        faults.append(f"{answer.status_code} {problem['code']}")
    if problem["status"] != answer.status_code or not problem["title"] or not problem["detail"]:
        faults.append(f"incomplete {problem}")
    if CANARY in answer.text or len(answer.content) > 1000:
        faults.append("echoes the input")
    return faults


async def test_wrong_methods_paths_and_parameters_are_problems(
    address: BusAddress, data_dir: Path
) -> None:
    run = f"/orchestrator/runs/{new_run_id()}"
    rows = [
        ("DELETE", "/inference/", 405, "method_not_allowed"),
        ("TRACE", "/health", 405, "method_not_allowed"),
        ("PUT", run, 405, "method_not_allowed"),
        ("GET", "/orchestrator/run", 405, "method_not_allowed"),
        ("GET", "/nosuch", 404, "not_found"),
        ("GET", "/health/", 404, "not_found"),
        ("GET", f"{run}/events?after=-1", 422, "out_of_range"),
        ("GET", f"{run}/events?after={CANARY}", 422, "wrong_type"),
        ("POST", "/orchestrator/run?wait_s=-1", 422, "out_of_range"),
        ("POST", "/orchestrator/run?wait_s=nan", 422, "not_finite"),
        ("POST", "/orchestrator/run?wait_s=inf", 422, "not_finite"),
        ("POST", f"/orchestrator/run?wait_s={CANARY}", 422, "wrong_type"),
    ]
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        for method, path, status, code in rows:
            answer = await http.request(method, path)
            row = Row(f"{method} {path}", status, code)
            assert _faults(row, answer) == [], (row.what, answer.text)
        bad = await http.post(f"{run}/cancel", content=b"{", headers=JSON)
        assert bad.status_code == 400


async def test_a_fault_nobody_foresaw_is_a_problem_without_its_text(
    address: BusAddress, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(address, data_dir, kinds=()) as house:

        async def broken() -> None:
            raise ValueError(CANARY)

        house.app.add_api_route("/broken", broken)
        async with house.http() as http:
            answer = await http.get("/broken")
            assert (await http.get("/health/live")).status_code == 200
    assert _faults(Row("broken", 500, "internal"), answer) == []
    assert CANARY not in caplog.text
    assert "ValueError" in caplog.text
    assert "test_bad_input.py" in caplog.text
