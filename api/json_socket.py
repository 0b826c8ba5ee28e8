"""A WebSocket that speaks JSON within limits."""

from http import HTTPStatus
from typing import Final

import anyio
from fastapi import WebSocket, WebSocketDisconnect

from api.limits import ApiLimits
from api.problem import RefusedRequest, public_info
from api.slow_reader import SlowReader
from api.socket_message import ErrorMessage
from contracts.errors import ErrorInfo, PromptbusError, QueueFull
from contracts.message import Message

# Close codes of RFC 6455 section 7.4, and of our own where it has none (the HTTP status + 4000).
NORMAL: Final = 1000
TOO_LARGE: Final = 1009
INTERNAL: Final = 1011
TRY_AGAIN: Final = 1013
INVALID: Final = 4400
_OWN_CODES = 4000


class JsonSocket:
    """One client's socket."""

    def __init__(self, socket: WebSocket, limits: ApiLimits) -> None:
        self._socket = socket
        self._limits = limits

    async def open(self) -> None:
        """Accept the handshake."""
        await self._socket.accept()

    async def receive(self) -> bytes:
        """The next message.

        Raises: WebSocketDisconnect; RefusedRequest for one that is binary or too large.
        """
        frame = await self._socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code") or NORMAL)
        text = frame.get("text")
        if text is None:
            raise RefusedRequest(
                "invalid_json", "send JSON as a text frame", status=HTTPStatus.BAD_REQUEST
            )
        body: bytes = text.encode()
        if len(body) > self._limits.max_body_bytes:
            raise RefusedRequest(
                "body_too_large",
                f"the message is over {self._limits.max_body_bytes} bytes",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                limit=self._limits.max_body_bytes,
            )
        return body

    async def send(self, message: Message) -> None:
        """Send ``message``.

        Raises: SlowReader when the client has not read what came before; WebSocketDisconnect.
        """
        text = message.model_dump_json(exclude_none=True)
        with anyio.move_on_after(self._limits.send_timeout_s):
            await self._socket.send_text(text)
            return
        raise SlowReader

    async def close(self, code: int, reason: str | None = None) -> None:
        """Close with ``code``; a client that does not answer is not waited for."""
        with anyio.move_on_after(self._limits.send_timeout_s):
            await self._socket.close(code, reason)

    async def fail(self, exc: PromptbusError) -> None:
        """Tell what is wrong, and close with the code that fits it."""
        info = exc.to_wire()
        try:
            await self.send(ErrorMessage(error=public_info(info)))
            await self.close(close_code(exc, info))
        except WebSocketDisconnect:
            return
        except SlowReader:
            await self.close(TRY_AGAIN)


def close_code(exc: PromptbusError, info: ErrorInfo) -> int:
    """The close code for an error; pure."""
    if isinstance(exc, QueueFull) or info.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return TRY_AGAIN
    if info.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TOO_LARGE
    if info.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return INVALID
    if HTTPStatus.BAD_REQUEST <= info.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _OWN_CODES + info.status
    return INTERNAL
