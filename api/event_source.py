"""Messages as server-sent events, for as long as their client reads them."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Final

import anyio
from fastapi import Response
from starlette.types import Receive, Scope, Send

from api.limits import ApiLimits
from api.problem import public_info
from api.slow_reader import SlowReader
from api.socket_message import ErrorMessage
from contracts.errors import PromptbusError, Unexpected
from contracts.message import Message

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "text/event-stream"
_KEEP_ALIVE: Final = b": \n\n"


class EventSource(Response):
    """Sends ``messages``, each under its ``type`` and with its ``cursor`` as id.

    A browser that loses the connection comes back with the last id by itself. A client that leaves
    unread what it was sent is cut off, and may come back in the same way.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self, messages: Callable[[], AsyncGenerator[Message, None]], limits: ApiLimits
    ) -> None:
        # Proxies that gather what they pass on would hold back what is meant to be live.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._messages = messages
        self._limits = limits
        self._one_at_a_time = anyio.Lock()
        self._sent_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one response."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, receive, tasks.cancel_scope)
            status = int(HTTPStatus.OK)
            await send(
                {"type": "http.response.start", "status": status, "headers": self.raw_headers}
            )
            tasks.start_soon(self._keep_alive, send, tasks.cancel_scope)
            try:
                await self._tell(send)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except (SlowReader, OSError):
                logger.info("a client does not read its events, or has gone")
            tasks.cancel_scope.cancel()

    async def _tell(self, send: Send) -> None:
        try:
            async with aclosing(self._messages()) as messages:
                async for message in messages:
                    await self._send(send, encode(message))
        except PromptbusError as exc:
            await self._fail(send, exc)
        except (SlowReader, OSError):
            raise
        except Exception as exc:
            logger.error("a stream of events failed: %s", type(exc).__name__)
            await self._fail(send, Unexpected(exc))

    async def _fail(self, send: Send, exc: PromptbusError) -> None:
        await self._send(send, encode(ErrorMessage(error=public_info(exc.to_wire()))))

    async def _keep_alive(self, send: Send, scope: anyio.CancelScope) -> None:
        while True:
            due_s = self._sent_s + self._limits.keep_alive_s
            await anyio.sleep(max(0.0, due_s - anyio.current_time()))
            if anyio.current_time() >= self._sent_s + self._limits.keep_alive_s:
                try:
                    await self._send(send, _KEEP_ALIVE)
                except SlowReader:
                    scope.cancel()

    async def _send(self, send: Send, data: bytes) -> None:
        async with self._one_at_a_time:
            with anyio.move_on_after(self._limits.send_timeout_s):
                await send({"type": "http.response.body", "body": data, "more_body": True})
                self._sent_s = anyio.current_time()
                return
        raise SlowReader


def encode(message: Message) -> bytes:
    """One message as a server-sent event; pure."""
    cursor: str | None = getattr(message, "cursor", None)
    name: str = getattr(message, "type", "message")
    id_line = f"id: {cursor}\n" if cursor is not None else ""
    return (
        f"{id_line}event: {name}\ndata: {message.model_dump_json(exclude_none=True)}\n\n".encode()
    )


async def _watch(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    scope.cancel()
