"""What every promptbus process has: a connection, a checked topology, and its tools on both."""

import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.errors import APIError, ServiceUnavailableError

from bus.connection import Connection
from bus.journal import Journal
from bus.presence_board import PresenceBoard
from bus.publisher import Publisher
from bus.span_stream import SpanStream
from bus.stored_events import StoredEvents
from bus.topology import Topology, declare, ensure, restore
from contracts import subjects
from contracts.errors import NotReady, PromptbusError
from promptbus.settings import Settings
from promptbus.telemetry import Tracing, read_tracing

logger = logging.getLogger(__name__)

RESTORE_PAUSE_S = 0.25
ENSURE_S = 15.0
# "JetStream system temporarily unavailable", and a server that has not joined its peers yet.
_BETWEEN_LEADERS = frozenset({10008, 10009})

EVERYTHING = (subjects.STORED_RUNS_ALL,)
# Enough for actors that only need to know when to stop working on a run.
ENDS = (subjects.STORED_CANCELS, subjects.STORED_OUTCOMES)


@dataclass(frozen=True, slots=True)
class Process:
    """One process on the bus."""

    settings: Settings
    source: str
    connection: Connection
    publisher: Publisher
    journal: Journal
    stored: StoredEvents
    board: PresenceBoard
    spans: SpanStream


@asynccontextmanager
async def open_process(
    settings: Settings,
    role: str,
    watched: tuple[str, ...] = EVERYTHING,
    *,
    first_writer_wins: bool = True,
) -> AsyncIterator[Process]:
    """Connect as ``role``, make or check the topology, and watch stored events.

    ``watched`` is what of the journals this process must hear; one subscription serves all of it.
    ``first_writer_wins`` is False in the control of the chaos suite alone.

    Raises: NotReady without a NATS address or where the server has no JetStream, BusUnavailable,
    TopologyDrift, StreamLost.
    """
    address = settings.address()
    if address is None:
        raise NotReady(
            "no NATS server is set", cure="set PROMPTBUS_NATS_URL, or run `promptbus up`"
        )
    source = f"promptbus/{role}/{socket.gethostname()}-{os.getpid()}"
    async with (
        _tracing() as tracing,
        Connection(address, source, crash_at=settings.crash_at) as connection,
    ):
        topology = declare(num_replicas=settings.nats_replicas, lease_s=settings.lease_s)
        await _ensure(connection, topology)
        connection.on_reconnect(partial(_restore, connection, topology))
        spans = SpanStream(
            connection,
            enabled=tracing.enabled,
            with_content=tracing.with_content,
            export=tracing.export,
        )
        publisher = Publisher(connection, source, spans)
        async with StoredEvents(connection, watched) as stored:
            yield Process(
                settings=settings,
                source=source,
                connection=connection,
                publisher=publisher,
                journal=Journal(connection, publisher, first_writer_wins=first_writer_wins),
                stored=stored,
                board=PresenceBoard(connection),
                spans=spans,
            )


@asynccontextmanager
async def _tracing() -> AsyncIterator[Tracing]:
    tracing = read_tracing()
    try:
        yield tracing
    finally:
        if tracing.close is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(tracing.close)


async def _ensure(connection: Connection, topology: Topology) -> None:
    """Make or check the topology; a cluster that is electing its leaders is waited for."""
    deadline_s = time.monotonic() + ENSURE_S
    while True:
        try:
            await ensure(connection.jetstream, topology)
        except (NatsError, TimeoutError) as exc:
            if _may_pass(exc) and time.monotonic() < deadline_s:
                await anyio.sleep(RESTORE_PAUSE_S)
                continue
            reason = getattr(exc, "description", None) or type(exc).__name__
            raise NotReady(
                f"the NATS server does not make our streams: {reason}",
                cure="start it with JetStream (nats-server -js) and with room for their limits",
            ) from exc
        else:
            return


def _may_pass(exc: Exception) -> bool:
    """Whether it may be well in a moment: no answer, or a cluster between two leaders."""
    if isinstance(exc, ServiceUnavailableError):
        return exc.err_code in _BETWEEN_LEADERS
    return isinstance(exc, TimeoutError) or not isinstance(exc, (APIError, NoRespondersError))


async def _restore(connection: Connection, topology: Topology) -> None:
    """After a reconnect: make again what lived in the server's memory, as soon as it lets us."""
    while connection.is_connected:
        try:
            await restore(connection.jetstream, topology)
        except (NatsError, TimeoutError) as exc:
            logger.info("the bus is not ready yet: %s", exc or type(exc).__name__)
            await anyio.sleep(RESTORE_PAUSE_S)
        except PromptbusError as exc:
            logger.error("the bus has changed: %s (%s)", exc, exc.cure)
            return
        else:
            return
