"""Heads of requests that come too slowly, never end, or are none, sent as raw bytes."""

from pathlib import Path
from random import Random

import anyio
import httpx2
import pytest

from api.limits import ApiLimits
from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from tests.api.house import SLOW, SlowExecutor, open_house, serve

LIMITS = ApiLimits(head_timeout_s=0.4)
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)


async def _send(port: int, *pieces: bytes, pause_s: float = 0.0) -> tuple[bytes, float]:
    """What the server answers until it closes, and after how many seconds that was."""
    answer, started_s = b"", anyio.current_time()
    with anyio.fail_after(10):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            try:
                for piece in pieces:
                    await stream.send(piece)
                    await anyio.sleep(pause_s)
                while True:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return answer, anyio.current_time() - started_s


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((), b"408"),
        ((b"G",), b"408"),
        ((GET,), b"408"),
        # What is sent after the end resets the connection, and with it the answer.
        ((GET, *[b"X-A: b\r\n"] * 40), None),
        ((GET + b"\r\n", b"GET /hea"), b"408"),
        ((GET + b"X-A: " + b"a" * 50_000, b"a" * 50_000), b"431"),
        ((b"GET /" + b"a" * 50_000, b"a" * 50_000), b"431"),
        ((GET + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n",), b"431"),
        ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",), b"400"),
        ((b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",), b"400"),
        ((b"GET / HTTP/9.9\r\n\r\n",), b"400"),
    ],
)
async def test_a_head_that_is_none_is_answered_and_the_connection_closed(
    address: BusAddress, data_dir: Path, pieces: tuple[bytes, ...], status: bytes | None
) -> None:
    async with (
        open_house(address, data_dir, kinds=(), limits=LIMITS) as house,
        serve(house.app, LIMITS) as port,
        httpx2.AsyncClient() as http,
    ):
        answer, took_s = await _send(port, *pieces, pause_s=0.02)
        if status is not None:
            last = answer[answer.rindex(b"HTTP/1.1 ") :]
            assert last[9:12] == status
            assert b"connection: close" in last.lower()
        assert took_s < 5
        live = await http.get(f"http://127.0.0.1:{port}/health/live")
        assert live.status_code == 200


async def test_no_bytes_at_all_end_the_server(
    address: BusAddress, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    random = Random(20)
    body = b'{"prompt": "hi", "model": "echo"}'
    whole = b"POST /inference/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    whole += b"Content-Length: %d\r\n\r\n" % len(body) + body
    limits = ApiLimits(head_timeout_s=0.2, body_timeout_s=0.2)

    async def send_some(port: int) -> None:
        for _ in range(20):
            sent = bytearray(whole if random.random() < 0.8 else random.randbytes(300))
            for _ in range(random.randrange(4)):
                sent[random.randrange(len(sent))] = random.randrange(256)
            # What was a whole request may be kept alive; nothing is learned by waiting for its end.
            with anyio.move_on_after(0.3):
                await _send(port, bytes(sent[: random.randrange(1, len(sent) + 1)]), b"\r\n")

    async with (
        open_house(address, data_dir, kinds=(), limits=limits) as house,
        serve(house.app, limits) as port,
        httpx2.AsyncClient() as http,
    ):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(send_some, port)
        live = await http.get(f"http://127.0.0.1:{port}/health/live")
        assert live.status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_answer_on_its_way_is_not_cut_by_a_slow_head_behind_it(
    address: BusAddress, data_dir: Path
) -> None:
    body = b'{"prompt": "hi", "model": "%s", "max_tokens": 40}' % SLOW.encode()
    head = b"POST /inference/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=SlowExecutor(), limits=LIMITS) as house,
        serve(house.app, LIMITS) as port,
    ):
        answer, _ = await _send(port, head + body, b"GET /hea")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"word word" in answer
