"""A NATS connection that reconnects for ever and never loses an asynchronous error."""

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js import JetStreamContext

from bus.crash_points import CrashPoints
from contracts.errors import BusUnavailable

logger = logging.getLogger(__name__)

# nats-py gives up after 60 tries by default and then closes for good; a bus client never should.
FOREVER = -1
RECONNECT_WAIT_S = 0.25
# Two missed pings 1 s apart reveal a frozen server; the default would take four minutes.
PING_INTERVAL_S = 1
MAX_OUTSTANDING_PINGS = 2
# A drain with unread subscriptions would otherwise hang for 30 s.
DRAIN_TIMEOUT_S = 5
KEPT_ERRORS = 100
_REFUSED = "authorization"


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Where NATS is and how to log in; a secret never stands in argv or in a log line."""

    urls: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    credentials_file: Path | None = None
    nkey_seed_file: Path | None = None
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None

    def options(self) -> dict[str, Any]:
        """The log-in as ``nats.connect`` takes it."""
        options: dict[str, Any] = {"servers": list(self.urls)}
        if self.user is not None:
            options |= {"user": self.user, "password": self.password}
        if self.credentials_file is not None:
            options["user_credentials"] = str(self.credentials_file)
        if self.nkey_seed_file is not None:
            options["nkeys_seed"] = str(self.nkey_seed_file)
        if self.tls_ca_file is not None:
            context = ssl.create_default_context(cafile=str(self.tls_ca_file))
            if self.tls_cert_file is not None:
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
            options["tls"] = context
        return options


class QuickClient(Client):
    """nats-py's client with a header parser that costs a third, and that goes on reading.

    nats-py looks at every character of every header name; our messages carry a dozen headers each,
    and parsing them was the largest single cost of a run. Should the hook be renamed upstream,
    only the speed is lost.
    """

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        lines = raw.decode("utf-8", "replace").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return {name.strip(): value.strip() for name, colon, value in pairs if colon}

    async def _process_pong(self) -> None:
        # A flush that was given up leaves its future cancelled, and nats-py would read no more.
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()


@dataclass(frozen=True, slots=True)
class BusError:
    """An error the server or client reported outside of any call."""

    at_monotonic_s: float
    message: str


class Connection:
    """One NATS connection of one process.

    ``async with Connection.open(address, name)``. ``errors`` keeps the last asynchronous errors
    (permission violations, slow consumers); ``on_reconnect`` callbacks run after every reconnect,
    when whoever waits must look again; ``closed`` is set when the client is closed for good, after
    which the process has no bus and should end. ``crash_at`` is for tests: a point at which the
    process dies.
    """

    def __init__(self, address: BusAddress, name: str, *, crash_at: str | None = None) -> None:
        self._address = address
        self._name = name
        self._reconnect_callbacks: list[Callable[[], Awaitable[None]]] = []
        self._reconnecting: asyncio.Task[None] | None = None
        self._connecting = False
        self.errors: deque[BusError] = deque(maxlen=KEPT_ERRORS)
        self.closed = anyio.Event()
        self.crash_points = CrashPoints(crash_at, self._flush)
        self.client: Client = QuickClient()
        self.jetstream: JetStreamContext = self.client.jetstream()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.close()

    async def connect(self, timeout_s: float = 10.0) -> None:
        """Connect, trying for ``timeout_s``.

        Raises: BusUnavailable when no server answers or the log-in is refused.
        """
        self._connecting = True
        try:
            with anyio.move_on_after(timeout_s):
                await self._connect_patiently()
                return
        finally:
            self._connecting = False
        raise self._unavailable(self.errors[-1].message if self.errors else "no answer")

    async def _connect_patiently(self) -> None:
        while True:
            try:
                await self._connect_once()
            except (OSError, NatsError) as exc:
                await self._on_error(exc)
                await anyio.sleep(RECONNECT_WAIT_S)
            else:
                self.jetstream = self.client.jetstream(timeout=5)
                return

    def _unavailable(self, reason: str) -> BusUnavailable:
        where = ", ".join(self._address.urls)
        return BusUnavailable(
            f"no NATS at {where}: {reason}",
            cure="start one with `promptbus up`, or check --nats-url and the credentials",
        )

    async def _connect_once(self) -> None:
        client = QuickClient()
        try:
            await client.connect(
                **self._address.options(),
                name=self._name,
                connect_timeout=2,
                allow_reconnect=True,
                max_reconnect_attempts=FOREVER,
                reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type] # fractions work
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=MAX_OUTSTANDING_PINGS,
                drain_timeout=DRAIN_TIMEOUT_S,
                error_cb=self._on_error,
                disconnected_cb=self._on_disconnect,
                reconnected_cb=self._on_reconnect,
                closed_cb=self._on_closed,
            )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await client.close()
            raise
        self.client = client

    async def close(self) -> None:
        """Flush what is pending and close."""
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        if self.client.is_closed:
            return
        try:
            if self.client.is_connected:
                await self._flush()
        except (NatsError, TimeoutError, OSError) as exc:
            logger.warning("could not flush before closing: %s", exc or type(exc).__name__)
        await self.client.close()

    async def _flush(self) -> None:
        await self.client.flush(timeout=DRAIN_TIMEOUT_S)

    @property
    def is_connected(self) -> bool:
        """Whether the socket stands right now."""
        return self.client.is_connected

    @property
    def server_version(self) -> str | None:
        """The version of the server at the other end; None while there is none."""
        if not self.client.is_connected:
            return None
        found = self.client.connected_server_version
        return f"{found.major}.{found.minor}.{found.patch}"

    @property
    def max_payload_bytes(self) -> int:
        """What the server takes in one message, headers included."""
        return int(self.client.max_payload)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Call ``callback`` after every reconnect; the returned function ends that."""
        self._reconnect_callbacks.append(callback)
        return lambda: self._reconnect_callbacks.remove(callback)

    def denied(self, subject: str, since_s: float) -> bool:
        """Whether the server reported a permission violation on ``subject`` since then.

        A denied publish looks like a timeout to its caller; the reason arrives apart.
        """
        needle = f'"{subject.lower()}"'
        return any(
            error.at_monotonic_s >= since_s
            and "permissions violation" in error.message.lower()
            and needle in error.message.lower()
            for error in self.errors
        )

    async def _on_error(self, exc: Exception) -> None:
        message = str(exc) or type(exc).__name__
        self.errors.append(BusError(time.monotonic(), message))
        if self._connecting and _REFUSED in message.lower():
            # The client would try the same log-in for ever; it will not become right.
            raise self._unavailable(message) from exc
        if not isinstance(exc, (ConnectionError, NoServersError, OSError)):
            logger.error("NATS reported: %s", message)

    async def _on_disconnect(self) -> None:
        if not self.client.is_closed:
            logger.warning("NATS is away; reconnecting")

    async def _on_reconnect(self) -> None:
        logger.info("NATS is back")
        # In a task of its own: the client reads no message until this callback has returned.
        self._reconnecting = asyncio.create_task(self._tell_reconnected())

    async def _tell_reconnected(self) -> None:
        for callback in tuple(self._reconnect_callbacks):
            try:
                await callback()
            except (NatsError, TimeoutError, OSError) as exc:
                await self._on_error(exc)

    async def _on_closed(self) -> None:
        # A client that never connected is closed too, and another one tries after it.
        if self.client.is_closed:
            self.closed.set()
