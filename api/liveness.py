"""Whether this process is worth keeping, told before anything else is looked up."""

from http import HTTPStatus
from typing import Final

import anyio
from fastapi import Response
from starlette.types import ASGIApp, Receive, Scope, Send

PATH: Final = "/health/live"

# Asked every second by whoever watches processes, so that nothing is made anew for it.
_ALIVE: Final = b'{"status":"alive"}'
_DEAD: Final = b'{"status":"dead"}'


class Liveness:
    """ASGI middleware that answers ``GET /health/live`` in place of the route, and asks nobody.

    ``closed`` is set once the NATS client is closed for good, which only a restart mends.
    """

    def __init__(self, app: ASGIApp, *, closed: anyio.Event) -> None:
        self._app = app
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_asked = scope["type"] == "http" and scope["path"] == PATH
        if is_asked and scope["method"] == "GET":
            await liveness(self._closed)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def liveness(closed: anyio.Event) -> Response:
    """What is answered."""
    if closed.is_set():
        return Response(_DEAD, HTTPStatus.SERVICE_UNAVAILABLE, media_type="application/json")
    return Response(_ALIVE, media_type="application/json")
