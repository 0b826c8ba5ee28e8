"""The outermost layer: refuses over-long headers, adds those for browsers, hides exceptions."""

import logging
import traceback
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problem import problem_response, unexpected_response
from api.security_headers import secured
from contracts.errors import ErrorInfo

logger = logging.getLogger(__name__)


class Edge:
    """ASGI middleware around everything else.

    A fault nobody foresaw is logged by its type and place, not its text, which may hold a prompt.
    """

    def __init__(self, app: ASGIApp, max_header_bytes: int) -> None:
        self._app = app
        self._max_header_bytes = max_header_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        num_bytes = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if num_bytes + len(scope["query_string"]) > self._max_header_bytes:
            await self._refuse_headers(scope, receive, send)
            return
        await self._guard(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                message = {**message, "headers": secured(list(message.get("headers", ())))}
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as exc:
            _log(scope["method"], exc)
            if started:
                raise
            await unexpected_response()(scope, receive, watch)

    async def _refuse_headers(self, scope: Scope, receive: Receive, send: Send) -> None:
        info = ErrorInfo(
            code="headers_too_large",
            message=f"the headers are over {self._max_header_bytes} bytes",
            status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            limit=self._max_header_bytes,
        )
        response = problem_response(info, headers={"Connection": "close"})
        await response(scope, receive, send)


def _log(method: str, exc: BaseException) -> None:
    frames = "".join(traceback.format_tb(exc.__traceback__))
    logger.error("%s request failed: %s\n%s", method, type(exc).__name__, frames)
