"""Clients of the bridge that cost next to nothing themselves: one HTTP connection, many sockets."""

import asyncio
import base64
import json
import os
from types import TracebackType
from typing import Self, cast

_HEADER_BYTES = 2
_SHORT, _MEDIUM = 126, 127
_TEXT, _CLOSE = 0x1, 0x8


class KeptAlive:
    """One HTTP connection that asks the same thing again and again."""

    def __init__(
        self, port: int, method: str, path: str, body: bytes = b"", **headers: str
    ) -> None:
        self._port = port
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        self._request = "\r\n".join([*lines, "", ""]).encode() + body

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()

    async def ask(self) -> bytes:
        """The body of one answer, which must be a 200."""
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{head.decode()}{body.decode()}")
        return body


class TokenReader(asyncio.Protocol):
    """One WebSocket client of a run: counts the pieces of text it is sent, and their characters."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._received = b""
        self._is_open = False
        self._transport: asyncio.Transport | None = None
        self.num_frames = 0
        self.num_chars = 0
        self.first_s = 0.0
        self.last_s = 0.0
        self.is_done = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> Self:
        """Connect and wait until the server has agreed."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        await self.opened
        return self

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are transports in all but name.
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET {self._path} HTTP/1.1\r\nhost: 127.0.0.1:{self._port}\r\nupgrade: websocket\r\n"
            f"connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n"
            "".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("refused"))
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_open:
            head, found, rest = self._received.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.opened.set_exception(RuntimeError(head.decode()))
                return
            self._is_open, self._received = True, rest
            self.opened.set_result(None)
        while (frame := self._next_frame()) is not None:
            self._take(*frame)

    def _next_frame(self) -> tuple[int, bytes] | None:
        data = self._received
        if len(data) < _HEADER_BYTES:
            return None
        size, begin = data[1] & 0x7F, _HEADER_BYTES
        if size >= _SHORT:
            num_bytes = 2 if size == _SHORT else 8
            begin += num_bytes
            if len(data) < begin:
                return None
            size = int.from_bytes(data[_HEADER_BYTES:begin])
        if len(data) < begin + size:
            return None
        self._received = data[begin + size :]
        return data[0] & 0xF, data[begin : begin + size]

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == _CLOSE:
            self.close()
        elif kind == _TEXT and payload.startswith(b'{"type":"token"'):
            self.last_s = asyncio.get_running_loop().time()
            self.first_s = self.first_s or self.last_s
            self.num_frames += 1
            message = json.loads(payload)
            self.num_chars = message["offset"] + len(message["text"])
        elif kind == _TEXT and payload.startswith(b'{"type":"done"'):
            self.is_done = True
