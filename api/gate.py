"""Who may come in: by which name, from which page, with which key, and how often."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import SAFE_METHODS, SOCKET, needed_scopes
from api.allowance import Buckets, Seats
from api.credentials import SUBPROTOCOL, token_from_headers, token_from_subprotocols
from api.limits import ApiLimits
from api.origin import host_allowed, origin_allowed
from api.refusal import (
    Refusal,
    bad_key,
    foreign_host,
    foreign_origin,
    missing_scope,
    no_key,
    too_many,
)
from bus.key_board import KeyBoard
from contracts.api_key import ApiKey
from contracts.errors import BusUnavailable, PromptbusError

logger = logging.getLogger(__name__)

# Close code of a socket whose key has ended (the HTTP status + 4000).
UNAUTHORIZED = 4401

_ANSWERED = frozenset({"http.response.start", "websocket.http.response.start"})


class Gate:
    """ASGI middleware in front of all routes.

    Without ``keys`` everybody who reaches the server may do everything, as is right on loopback;
    then only hosts and origins are looked at. ``allowed_hosts`` None lets any host name pass.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyBoard | None,
        limits: ApiLimits,
        allowed_hosts: Collection[str] | None,
        allowed_origins: Collection[str],
    ) -> None:
        self._app = app
        self._keys = keys
        self._limits = limits
        self._allowed_hosts = allowed_hosts
        self._allowed_origins = allowed_origins
        self._rates = Buckets(limits.requests_per_minute)
        self._bad_keys = Buckets(limits.bad_keys_per_minute)
        self._requests = Seats(limits.max_requests)
        self._sockets = Seats(limits.max_sockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["type"] == "http" else SOCKET
        refusal = self._check_page(scope, method)
        scopes = needed_scopes(method, scope["path"])
        if refusal is not None:
            await refusal.answer(scope, receive, send)
        elif self._keys is None or scopes is None:
            await self._app(scope, receive, _accepting(scope, send))
        else:
            found = await self._find_key(self._keys, scope)
            if isinstance(found, ApiKey) and not found.allows(scopes):
                found = missing_scope(scopes)
            if isinstance(found, ApiKey):
                await self._admit(self._keys, found, scope, receive, send)
            else:
                await found.answer(scope, receive, send)

    def _check_page(self, scope: Scope, method: str) -> Refusal | None:
        """Whether a browser was led here by somebody else."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if self._allowed_hosts is not None and not host_allowed(host, self._allowed_hosts):
            return foreign_host()
        origin = headers.get(b"origin")
        if origin is None or method in SAFE_METHODS:
            return None
        is_allowed = origin_allowed(origin.decode("latin-1"), host, self._allowed_origins)
        return None if is_allowed else foreign_origin()

    async def _find_key(self, keys: KeyBoard, scope: Scope) -> ApiKey | Refusal:
        token = token_from_headers(scope["headers"])
        if token is None and scope["type"] == "websocket":
            token = token_from_subprotocols(scope.get("subprotocols", ()))
        if token is None:
            return no_key()
        try:
            key = await keys.find(token, datetime.now(UTC))
        except BusUnavailable as exc:
            return Refusal(exc.to_wire())
        return key or self._count_bad_key(scope)

    def _count_bad_key(self, scope: Scope) -> Refusal:
        address, _ = scope.get("client") or ("", 0)
        bucket, now_s = self._bad_keys.of(address), time.monotonic()
        if bucket.take(now_s):
            return bad_key()
        limit = self._limits.bad_keys_per_minute
        message = f"over {limit} bad keys a minute from this address"
        return too_many("too_many_bad_keys", message, limit, bucket.quota(now_s))

    async def _admit(
        self, keys: KeyBoard, key: ApiKey, scope: Scope, receive: Receive, send: Send
    ) -> None:
        bucket, now_s = self._rates.of(key.key_id), time.monotonic()
        if not bucket.take(now_s):
            limit = self._limits.requests_per_minute
            message = f"over {limit} requests a minute with this key"
            refusal = too_many("rate_limited", message, limit, bucket.quota(now_s))
            await refusal.answer(scope, receive, send)
            return
        is_socket = scope["type"] == "websocket"
        seats = self._sockets if is_socket else self._requests
        if not seats.take(key.key_id):
            what = "sockets" if is_socket else "requests"
            message = f"over {seats.limit} {what} at once with this key"
            refusal = too_many(f"too_many_{what}", message, seats.limit)
            await refusal.answer(scope, receive, send)
            return
        try:
            counted = _counted(_accepting(scope, send), bucket.quota(now_s).headers())
            scope.setdefault("state", {})["key_id"] = key.key_id
            await self._serve(keys, key.key_id, scope, receive, counted)
        finally:
            seats.give_back(key.key_id)

    async def _serve(
        self, keys: KeyBoard, key_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve for as long as the key is good."""
        is_begun = False

        async def watch(message: Message) -> None:
            nonlocal is_begun
            is_begun = is_begun or message["type"] in _ANSWERED
            await send(message)

        async with self._while_usable(keys, key_id) as ended:
            await self._app(scope, receive, watch)
        if not ended.cancelled_caught:
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": UNAUTHORIZED})
        elif not is_begun:
            await bad_key().answer(scope, receive, send)

    @asynccontextmanager
    async def _while_usable(self, keys: KeyBoard, key_id: str) -> AsyncIterator[anyio.CancelScope]:
        async def watch() -> None:
            while True:
                await asyncio.sleep(self._limits.key_check_s)
                try:
                    if not await keys.is_usable(key_id, datetime.now(UTC)):
                        ended.cancel()
                        return
                except PromptbusError as exc:
                    logger.warning("could not look at key %s: %s", key_id, exc)

        ended = anyio.CancelScope()
        watching = asyncio.create_task(watch())
        try:
            with ended:
                yield ended
        finally:
            watching.cancel()


def _accepting(scope: Scope, send: Send) -> Send:
    """``send``, which picks the subprotocol that a browser needs to have picked."""
    if SUBPROTOCOL not in scope.get("subprotocols", ()):
        return send

    async def pick(message: Message) -> None:
        if message["type"] == "websocket.accept" and message.get("subprotocol") is None:
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return pick


def _counted(send: Send, headers: dict[str, str]) -> Send:
    """``send``, which tells with a response what is left of the quota."""
    added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return tell
