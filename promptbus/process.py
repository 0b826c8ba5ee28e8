"""What every promptbus process has: a connection, a checked topology, and its tools on both."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bus.connection import Connection
from bus.journal import Journal
from bus.presence_board import PresenceBoard
from bus.publisher import Publisher
from bus.topology import declare, ensure
from contracts.errors import NotReady
from promptbus.settings import Settings


@dataclass(frozen=True, slots=True)
class Process:
    """One process on the bus."""

    settings: Settings
    source: str
    connection: Connection
    publisher: Publisher
    journal: Journal
    board: PresenceBoard


@asynccontextmanager
async def open_process(settings: Settings, role: str) -> AsyncIterator[Process]:
    """Connect as ``role`` and make or check the topology.

    Raises: NotReady without a NATS address, BusUnavailable, TopologyDrift.
    """
    address = settings.address()
    if address is None:
        raise NotReady(
            "no NATS server is set", cure="set PROMPTBUS_NATS_URL, or run `promptbus up`"
        )
    source = f"promptbus/{role}/{socket.gethostname()}-{os.getpid()}"
    async with Connection(address, source) as connection:
        topology = declare(num_replicas=settings.nats_replicas, lease_s=settings.lease_s)
        await ensure(connection.jetstream, topology)
        publisher = Publisher(connection, source)
        yield Process(
            settings=settings,
            source=source,
            connection=connection,
            publisher=publisher,
            journal=Journal(connection, publisher),
            board=PresenceBoard(connection),
        )
