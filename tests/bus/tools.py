"""What tests of the bus share: waiting for a condition, and a wire that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import anyio
from nats.aio.client import Client

from bus.connection import BusAddress


async def until(condition: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    """Return as soon as ``condition`` holds; fails after ``timeout_s``."""
    with anyio.fail_after(timeout_s):
        while not condition():
            await anyio.sleep(0.01)


@asynccontextmanager
async def raw_client(address: BusAddress) -> AsyncIterator[Client]:
    """A plain NATS client, as anybody may use one."""
    client = Client()
    await client.connect(**address.options(), allow_reconnect=False)
    try:
        yield client
    finally:
        await client.close()


class Wire:
    """A TCP relay in front of a server, whose connections can be cut while the server runs on."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Start; returns the port to connect to."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Break every connection at once; new ones may be made."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        """Stop."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for pump in tuple(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()
        self._writers.discard(sink)


@asynccontextmanager
async def wire_to(address: BusAddress) -> AsyncIterator[tuple[BusAddress, Wire]]:
    """The same server behind a :class:`Wire`."""
    wire = Wire(int(address.urls[0].rsplit(":", 1)[1]))
    port = await wire.open()
    behind = BusAddress((f"nats://127.0.0.1:{port}",), address.user, address.password)
    try:
        yield behind, wire
    finally:
        await wire.close()
