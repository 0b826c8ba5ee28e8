"""HTTP/1.1 whose heads must come in time and in size, below the application.

uvicorn waits for ever for the rest of a request's line and headers, and keeps all of what comes
of them; so a client that sends a byte now and then holds a connection, and one that never stops
holds memory.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.problem import MEDIA_TYPE, build_problem
from contracts.errors import ErrorInfo


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with limits for a request's line and headers.

    Parameters: ``head_timeout_s`` until they are complete, from the connection or their first byte
    on; ``max_head_bytes`` for them.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        head_timeout_s: float,
        max_head_bytes: int,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_timeout_s = head_timeout_s
        self._max_head_bytes = max_head_bytes
        self._num_head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the headers are complete."""
        was_in_head = self._head_timer is not None
        super().data_received(data)
        if self._head_timer is None or self.transport.is_closing():
            return
        self._num_head_bytes += len(data) if was_in_head else 0
        if self._num_head_bytes > self._max_head_bytes:
            self._refuse(
                ErrorInfo(
                    code="headers_too_large",
                    message=f"the headers are over {self._max_head_bytes} bytes",
                    status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    limit=self._max_head_bytes,
                )
            )

    def on_message_begin(self) -> None:
        """Expect the rest of a head."""
        super().on_message_begin()
        if self._head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_timer()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._num_head_bytes = 0
        self._head_timer = self.loop.call_later(self._head_timeout_s, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_timeout(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # The answer to an earlier request is still on its way.
            self._head_timer = self.loop.call_later(self._head_timeout_s, self._on_timeout)
            return
        self._refuse(
            ErrorInfo(
                code="headers_too_slow",
                message=f"the headers were not complete within {self._head_timeout_s:g} s",
                status=HTTPStatus.REQUEST_TIMEOUT,
                limit=self._head_timeout_s,
            )
        )

    def _refuse(self, info: ErrorInfo) -> None:
        self._stop_timer()
        body = build_problem(info).encode()
        head = (
            f"HTTP/1.1 {info.status} {HTTPStatus(info.status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
