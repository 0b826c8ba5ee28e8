"""An answer as server-sent events, for as long as its client is there."""

import json
import logging
from contextlib import aclosing
from typing import Any, Final

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from fastapi import Response
from starlette.types import Receive, Scope, Send

from api.limits import ApiLimits
from api.openai.answer import AnswerSource, Piece, Waiting
from api.openai.completion import Shape
from api.openai.error import RUN_ID_HEADER, error_body
from contracts.errors import ErrorInfo, PromptbusError, Unexpected

logger = logging.getLogger(__name__)

DONE: Final = b"data: [DONE]\n\n"
MAX_COMMENT_CHARS: Final = 300
# Pieces ahead of a client that reads slowly; what is behind them waits on the bus.
MAX_AHEAD: Final = 64


class _SlowReader(Exception):
    """The client does not read what it is sent."""


class EventStream(Response):
    """Sends ``source`` in the shape of ``shape``, and comments while there is nothing to send.

    What fails after the response has begun is its last event. When the client hangs up, or leaves
    unread what it was sent, the work on the answer is ended.
    """

    media_type = "text/event-stream"

    def __init__(self, source: AnswerSource, shape: Shape, limits: ApiLimits) -> None:
        super().__init__(
            headers={RUN_ID_HEADER: source.run_id, "Cache-Control": "no-store"},
            media_type=self.media_type,
        )
        del self.headers["content-length"]
        self._source = source
        self._shape = shape
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one response."""
        is_through = False
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_watch, receive, tasks.cancel_scope)
                try:
                    await self._tell(send)
                    is_through = True
                except _SlowReader:
                    logger.info("run %s: its client does not read", self._source.run_id)
                tasks.cancel_scope.cancel()
        finally:
            if not is_through:
                with anyio.CancelScope(shield=True):
                    await self._source.abandon()

    async def _tell(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        opening = self._shape.opening()
        if opening is not None:
            await self._send(send, _event(opening))
        ahead, pieces = anyio.create_memory_object_stream[Piece | ErrorInfo](MAX_AHEAD)
        async with anyio.create_task_group() as tasks, pieces:
            tasks.start_soon(self._produce, ahead)
            while True:
                data = b": waiting\n\n"
                with anyio.move_on_after(self._limits.keep_alive_s):
                    try:
                        data = self._encode(await pieces.receive())
                    except anyio.EndOfStream:
                        break
                await self._send(send, data)
        await self._send(send, DONE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _produce(self, ahead: MemoryObjectSendStream[Piece | ErrorInfo]) -> None:
        async with ahead:
            try:
                async with aclosing(self._source.live()) as pieces:
                    async for piece in pieces:
                        await ahead.send(piece)
            except PromptbusError as exc:
                await ahead.send(exc.to_wire())
            except Exception as exc:
                logger.error("run %s: a stream failed: %s", self._source.run_id, type(exc).__name__)
                await ahead.send(Unexpected(exc).to_wire())

    def _encode(self, piece: Piece | ErrorInfo) -> bytes:
        match piece:
            case str():
                return _event(self._shape.piece(piece))
            case Waiting():
                return _comment(piece.reason)
            case ErrorInfo():
                return _event(error_body(piece))
        return b"".join(_event(document) for document in self._shape.closing(piece))

    async def _send(self, send: Send, data: bytes) -> None:
        with anyio.move_on_after(self._limits.send_timeout_s):
            await send({"type": "http.response.body", "body": data, "more_body": True})
            return
        raise _SlowReader


async def _watch(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    scope.cancel()


def _event(document: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


def _comment(text: str) -> bytes:
    return f": {' '.join(text.split())[:MAX_COMMENT_CHARS]}\n\n".encode()
