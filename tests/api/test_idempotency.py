"""Idempotency keys over HTTP and WebSocket."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import websockets

from bus.connection import BusAddress
from contracts.idempotency import keyed_run_id
from tests.api.house import SLOW, SlowExecutor, open_house, serve, until

RUN = {"prompt": "Say: hello", "model": "echo", "max_attempts": 1}
DIRECT = {"prompt": "Say: hello", "model": "echo"}
CHAT = {"model": "echo", "messages": [{"role": "user", "content": "Say: hello"}]}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("/orchestrator/run", RUN),
    ("/inference/", DIRECT),
    ("/v1/chat/completions", CHAT),
]


def keyed(key: str, **more: str) -> dict[str, str]:
    """Headers with that key."""
    return {"Idempotency-Key": key, **more}


def run_id_of(answer: httpx2.Response) -> str:
    """The run an answer is of."""
    return str(answer.headers.get("x-run-id") or answer.json()["run_id"])


async def test_the_same_key_is_the_same_run_and_another_body_a_conflict(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        for path, body in CALLS:
            key = f"same {path}"
            answers = [await http.post(path, json=body, headers=keyed(key)) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert {run_id_of(answer) for answer in answers} == {keyed_run_id(key)}
            other = await http.post(path, json={**body, "max_tokens": 7}, headers=keyed(key))
            assert other.status_code == 422
            problem = other.json()
            assert problem.get("error", problem)["code"] == "idempotency_mismatch"


@pytest.mark.parametrize("key", ["", " ", "x" * 300, "a\x01b", "caf\xe9"])
async def test_what_is_no_key_is_refused_and_nothing_is_accepted(
    address: BusAddress, data_dir: Path, key: str
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        for path, body in CALLS:
            given = [(b"Idempotency-Key", key.encode("latin-1"))]
            answer = await http.post(path, json=body, headers=given)
            assert answer.status_code == (400 if path.startswith("/v1") else 422), answer.text
        info = await house.process.connection.jetstream.stream_info("PROMPTS")
        assert info.state.messages == 0
        twice = [(b"Idempotency-Key", b"a"), (b"Idempotency-Key", b"b")]
        answer = await http.post("/orchestrator/run", json=RUN, headers=twice)
        assert answer.json()["field"] == "Idempotency-Key"


async def test_a_socket_joins_the_run_of_its_key(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir) as house, serve(house.app) as port:
        first: list[dict[str, object]] = []
        for prompt in ("Say: hello", "Say: hello", "Say: bye"):
            uri = f"ws://127.0.0.1:{port}/orchestrator/ws"
            async with websockets.connect(uri) as socket:
                await socket.send(json.dumps({**RUN, "prompt": prompt, "idempotency_key": "ws"}))
                first.append(json.loads(await socket.recv()))
        assert [one["type"] for one in first] == ["accepted", "accepted", "error"]
        assert first[0]["run_id"] == first[1]["run_id"] == keyed_run_id("ws")
        error = first[2]["error"]
        assert isinstance(error, dict)
        assert error["code"] == "idempotency_mismatch"


async def test_a_keyed_generation_outlives_a_client_that_hangs_up(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor(pause_s=0.01)
    body = {"model": SLOW, "prompt": "go on", "max_tokens": 60}
    async with open_house(address, data_dir, kinds=(), slow=slow) as house:
        async with serve(house.app) as port, httpx2.AsyncClient() as http:
            url = f"http://127.0.0.1:{port}/inference/"
            with anyio.move_on_after(0.3):
                await http.post(url, json=body, headers=keyed("hang up"))
            answer = await http.post(url, json=body, headers=keyed("hang up"), timeout=20)
            assert answer.json()["success"] is True
            assert answer.json()["run_id"] == keyed_run_id("hang up")
            assert slow.cancelled == []
            with anyio.move_on_after(0.3):
                await http.post(url, json={**body, "max_tokens": 5000})
            await until(lambda: len(slow.cancelled) == 1)
