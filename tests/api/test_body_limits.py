"""Limits that only a real server and raw bytes can show."""

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest

from api.limits import ApiLimits
from bus.connection import BusAddress
from tests.api.house import open_house, serve

LIMITS = ApiLimits(body_timeout_s=0.5)
HEAD = "POST /inference/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


async def _raw(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """What the server answers to these bytes until it closes."""
    answer = b""
    with anyio.fail_after(10):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            try:
                for piece in pieces:
                    await stream.send(piece)
                    await anyio.sleep(pause_s)
                while True:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return answer


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _code(answer: bytes) -> str:
    return str(json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"])


async def _still_serves(port: int) -> None:
    async with httpx2.AsyncClient() as http:
        assert (await http.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("pieces", "status", "code"),
    [
        ([f"{HEAD}Content-Length: 1000000000\r\n\r\n"], 413, "body_too_large"),
        (
            [f"{HEAD}Content-Length: {'9' * 18}\r\n\r\n"],
            413,
            "body_too_large",
        ),
        ([f"{HEAD}Content-Length: 100\r\n\r\n", "{"], 408, "body_too_slow"),
        (
            [f"{HEAD}Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n"],
            415,
            "unsupported_encoding",
        ),
    ],
)
async def test_a_body_is_refused_by_its_head_or_its_pace_and_the_connection_closed(
    address: BusAddress,
    data_dir: Path,
    pieces: list[str],
    status: int,
    code: str,
) -> None:
    async with _served(address, data_dir) as port:
        answer = await _raw(port, *(piece.encode() for piece in pieces))
        assert (_status(answer), _code(answer)) == (status, code)
        assert b"connection: close" in answer.lower()
        await _still_serves(port)


async def test_an_endless_chunked_body_is_cut_off(address: BusAddress, data_dir: Path) -> None:
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    async with _served(address, data_dir) as port:
        head = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
        num_sent = 0
        answer = b""
        with anyio.fail_after(15):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(head)
                with contextlib.suppress(anyio.BrokenResourceError):
                    for _ in range(2000):
                        await stream.send(chunk)
                        num_sent += 1
                # The rest of the body may meet a closed socket before the answer is read.
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    answer = await stream.receive()
        assert num_sent < 2000
        if answer:
            assert (_status(answer), _code(answer)) == (413, "body_too_large")
        await _still_serves(port)


@pytest.mark.parametrize("megabytes", [2, 10])
async def test_an_ordinary_client_hears_why_its_body_is_refused(
    address: BusAddress, data_dir: Path, megabytes: int
) -> None:
    async with _served(address, data_dir) as port, httpx2.AsyncClient() as http:
        body = b'{"prompt":"' + b"a" * (megabytes << 20) + b'"}'
        answer = await http.post(
            f"http://127.0.0.1:{port}/inference/",
            content=body,
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 413
        assert answer.json()["code"] == "body_too_large"


@pytest.mark.parametrize(
    "extra",
    [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    ],
)
async def test_an_ambiguous_length_is_refused(
    address: BusAddress, data_dir: Path, extra: str
) -> None:
    async with _served(address, data_dir) as port:
        answer = await _raw(port, f"{HEAD}{extra}\r\n{{}}".encode())
        assert _status(answer) == 400
        await _still_serves(port)


@asynccontextmanager
async def _served(address: BusAddress, data_dir: Path) -> AsyncIterator[int]:
    """An application without actors behind uvicorn; yields the port."""
    async with (
        open_house(address, data_dir, kinds=(), limits=LIMITS) as house,
        serve(house.app, LIMITS) as port,
    ):
        yield port


async def test_a_client_that_hangs_up_within_its_body_is_no_fault(
    address: BusAddress, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, serve(house.app) as port:
        for head in (HEAD, HEAD.replace("/inference/", "/v1/chat/completions")):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(f"{head}Content-Length: 100\r\n\r\n{{".encode())
                await anyio.sleep(0.1)
        await anyio.sleep(0.2)
        await _still_serves(port)
    assert not [record.message for record in caplog.records if record.levelname == "ERROR"]
