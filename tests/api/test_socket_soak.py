"""Many clients of one run, some of which do not read: those lose their connection, nobody else."""

import contextlib
import json
import socket
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.limits import ApiLimits
from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from tests.api.house import SlowExecutor, open_house, serve, until
from tests.api.live_client import Page, listening
from tests.api.test_live import STORY

LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)
SMALL_BUFFER = 16 * 1024
WORD = "a" * 20_000
NUM_WORDS = 100


async def _read(ws: ClientConnection, page: Page) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            page.take(json.loads(await ws.recv()))


async def _follow(url: str, page: Page) -> None:
    async with connect(f"{url}?after={page.cursor}", max_size=None, compression=None) as ws:
        await _read(ws, page)


async def _stall(url: str, port: int, page: Page, told: anyio.Event) -> None:
    """Read nothing until ``told``; then read what is left, and come back for the rest."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    raw.setblocking(False)
    await anyio.to_thread.run_sync(_connect, raw, port)
    async with connect(url, sock=raw, max_queue=1, max_size=None, compression=None) as ws:
        await told.wait()
        await _read(ws, page)
        assert page.done is None, "it was not cut off"
        # The close frame waits behind what is unread, and is not waited for long.
        assert ws.close_code in {1013, 1006}
        if ws.close_code == 1013:
            assert ws.close_reason == f"too slow; go on with ?after={page.cursor}"
    await _follow(url, page)


def _connect(raw: socket.socket, port: int) -> None:
    raw.setblocking(True)
    raw.connect(("127.0.0.1", port))
    raw.setblocking(False)


def _rest_of(raw: socket.socket) -> bytes:
    told = b""
    with contextlib.suppress(ConnectionError):
        while piece := raw.recv(1 << 16):
            told += piece
    return told


@pytest.mark.parametrize(
    ("num_clients", "num_slow"), [(40, 4), pytest.param(200, 20, marks=pytest.mark.slow)]
)
async def test_clients_that_do_not_read_are_cut_off_and_harm_nobody(
    address: BusAddress, data_dir: Path, num_clients: int, num_slow: int
) -> None:
    limits = ApiLimits(send_timeout_s=0.5)
    torrent = SlowExecutor(word=WORD, pause_s=0.03)
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=torrent, limits=limits) as house,
        serve(house.app, limits, send_buffer_bytes=SMALL_BUFFER) as port,
        house.http() as http,
    ):
        wanted = {**STORY, "max_tokens": NUM_WORDS}
        run_id = (await http.post("/orchestrator/run?wait_s=0", json=wanted)).json()["run_id"]
        url = f"ws://127.0.0.1:{port}/orchestrator/runs/{run_id}/ws"
        readers = [Page() for _ in range(num_clients - num_slow)]
        stalled = [Page() for _ in range(num_slow)]
        told = anyio.Event()
        with anyio.fail_after(100):
            async with anyio.create_task_group() as slow:
                for page in stalled:
                    slow.start_soon(_stall, url, port, page, told)
                async with anyio.create_task_group() as quick:
                    for page in readers:
                        quick.start_soon(_follow, url, page)
                # All others have had everything while these read nothing.
                assert all(page.done is not None for page in readers)
                await anyio.sleep(3 * limits.send_timeout_s)
                told.set()
        whole = await house.client.view(run_id)
        for page in (*readers, *stalled):
            assert page.done is not None
            assert page.text == {1: whole.output}
            assert page.events == readers[0].events
        assert len(house.client.stored._by_run) == 0


async def test_a_stream_that_is_not_read_is_cut_off_and_gone_on_from_its_last_id(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(send_timeout_s=0.5)
    torrent = SlowExecutor(word=WORD, pause_s=0.01)
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=torrent, limits=limits) as house,
        serve(house.app, limits, send_buffer_bytes=SMALL_BUFFER) as port,
        house.http() as http,
    ):
        wanted = {**STORY, "max_tokens": NUM_WORDS}
        run_id = (await http.post("/orchestrator/run?wait_s=0", json=wanted)).json()["run_id"]
        path = f"/orchestrator/runs/{run_id}/stream"
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        await anyio.to_thread.run_sync(_connect, raw, port)
        raw.setblocking(True)
        with raw, anyio.fail_after(30):
            raw.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
            await house.client.wait(run_id)
            await anyio.sleep(3 * limits.send_timeout_s)
            told = await anyio.to_thread.run_sync(_rest_of, raw)
        assert b"event: token" in told
        assert b"event: done" not in told
        page = Page()
        for line in told.decode(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                if line.startswith("data: "):
                    page.take(json.loads(line.removeprefix("data: ")))
        async with listening(
            f"http://127.0.0.1:{port}{path}", **{"Last-Event-ID": page.cursor}
        ) as events:
            async for sent in events:
                page.take(sent.data)
        assert page.done is not None
        assert page.text == {1: page.done["output"]}
        await until(lambda: not len(house.client.stored._by_run))
