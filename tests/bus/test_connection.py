"""The connection: it says why it cannot, comes back, and keeps what the server reports."""

import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.connection import BusAddress, Connection, QuickClient
from contracts.errors import BusUnavailable
from promptbus.nats_server import NatsServer
from tests.bus.tools import until, wire_to


async def test_a_wrong_password_is_told_at_once_and_never_shown(nats_server: NatsServer) -> None:
    wrong = BusAddress(nats_server.address.urls, "promptbus", "not-the-password")
    begun = time.monotonic()
    with pytest.raises(BusUnavailable) as caught:
        await Connection(wrong, "test").connect(timeout_s=30)
    assert "authorization" in str(caught.value).lower()
    assert "not-the-password" not in str(caught.value.to_wire()) + repr(wrong)
    assert time.monotonic() - begun < 15


async def test_no_server_is_told_with_its_address(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats", synced=False) as server:
        address = server.address
    with pytest.raises(BusUnavailable) as caught:
        await Connection(address, "test").connect(timeout_s=0.7)
    assert address.urls[0] in str(caught.value)
    assert caught.value.cure


async def test_a_connection_waits_for_a_server_that_comes_up_later(nats_server: NatsServer) -> None:
    nats_server.kill()
    async with anyio.create_task_group() as tasks:
        connection = Connection(nats_server.address, "test")
        tasks.start_soon(connection.connect)
        await anyio.sleep(0.1)
        await anyio.to_thread.run_sync(nats_server.start)
    assert connection.is_connected
    await connection.close()


async def test_a_lost_connection_comes_back_and_tells_it(nats_server: NatsServer) -> None:
    told: list[str] = []
    counted: list[str] = []

    async def hear() -> None:
        told.append("back")

    async def count() -> None:
        counted.append("back")

    async def fail() -> None:
        raise TimeoutError

    async with (
        wire_to(nats_server.address) as (address, wire),
        Connection(address, "test") as connection,
    ):
        connection.on_reconnect(fail)
        forget = connection.on_reconnect(hear)
        connection.on_reconnect(count)
        wire.cut()
        await until(lambda: len(counted) == 1)
        assert told == ["back"]
        forget()
        wire.cut()
        await until(lambda: len(counted) == 2)
        await connection.client.flush()
        assert told == ["back"]
        assert not connection.closed.is_set()


async def test_a_flush_that_is_given_up_leaves_the_client_reading(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        heard: list[str] = []
        connection.on_reconnect(_noting(heard))
        assert nats_server.pid is not None
        os.kill(nats_server.pid, signal.SIGSTOP)
        try:
            with anyio.move_on_after(0.1):
                await connection.client.flush()
        finally:
            os.kill(nats_server.pid, signal.SIGCONT)
        await connection.client.flush(timeout=1)
        assert (await connection.client.request("$JS.API.INFO", timeout=1)).data
        assert heard == []


def _noting(heard: list[str]) -> Callable[[], Awaitable[None]]:
    async def note() -> None:
        heard.append("reconnected")

    return note


async def test_closing_twice_is_harmless(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await connection.close()
        assert connection.closed.is_set()


async def test_the_server_says_how_much_it_takes(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        assert connection.max_payload_bytes == 1024 * 1024


header_names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=9)
header_values = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Z")), max_size=20)


@given(st.dictionaries(header_names, header_values, max_size=5))
def test_the_quick_header_parser_reads_what_was_written(headers: dict[str, str]) -> None:
    raw = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    assert QuickClient._parse_header_lines(raw.encode()) == headers


@given(st.binary(max_size=200))
def test_the_quick_header_parser_takes_any_bytes(raw: bytes) -> None:
    assert isinstance(QuickClient._parse_header_lines(raw), dict)
