"""Serves any set of actors in one process: workers, presence, cancellation, orderly end."""

import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import anyio
from anyio.abc import TaskStatus

from actors.actor import Actor
from actors.task_server import TaskServer
from actors.worker_set import Queue, WorkerSet
from bus.connection import Connection
from bus.journal import Journal
from bus.presence_board import PresenceBoard
from bus.publisher import Publisher
from bus.pull_worker import DRAIN_S, Handle
from bus.stored_events import StoredEvents
from contracts.actor_kind import ActorKind
from contracts.presence import HostReport, Presence

logger = logging.getLogger(__name__)

# A lease is handed over rather than held to its run's end: replay costs nothing, and the actors
# that the run needs may be stopping in this very process.
HAND_OVER_S = 0.5

__all__ = ["ActorRuntime", "Queue"]

DescribeHost = Callable[[], Awaitable[HostReport | None]]
# How often a host is looked at for news of its models.
LOOK_EVERY_S = 0.5


class QueueSource(Protocol):
    """Decides which queues an actor serves while it does."""

    async def run(self, workers: WorkerSet, *, task_status: TaskStatus[None]) -> None:
        """Tell ``workers`` what to serve until cancelled; started once they serve the first."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """An actor kind, what handles its messages, and the queues they come from.

    At the end, what is in hand has ``drain_s`` to be finished; then it goes back to its queue.
    """

    kind: ActorKind
    handle: Handle
    queues: tuple[Queue, ...]
    name: str
    describe_host: DescribeHost | None = None
    source: QueueSource | None = None
    drain_s: float = DRAIN_S


class ActorRuntime:
    """Runs actors until ``stop`` is set, then lets them finish what they hold."""

    def __init__(
        self,
        *,
        connection: Connection,
        publisher: Publisher,
        journal: Journal,
        stored: StoredEvents,
        board: PresenceBoard,
        version: str,
    ) -> None:
        self._connection = connection
        self._publisher = publisher
        self._journal = journal
        self._stored = stored
        self._board = board
        self._version = version
        self._served: list[Served] = []
        self._actors: list[Actor] = []
        self._servers: list[TaskServer] = []

    def add(
        self,
        actor: Actor,
        queues: Sequence[Queue],
        describe_host: DescribeHost | None = None,
        *,
        name: str | None = None,
        source: QueueSource | None = None,
    ) -> None:
        """Serve ``actor`` from ``queues``, and from those that ``source`` adds and takes away.

        ``name`` tells it from others of its kind; the machine's where it is left out.
        """
        server = TaskServer(
            actor,
            connection=self._connection,
            journal=self._journal,
            publisher=self._publisher,
        )
        self._actors.append(actor)
        self._servers.append(server)
        self._served.append(
            Served(
                actor.kind,
                server.handle,
                tuple(queues),
                name or socket.gethostname(),
                describe_host,
                source,
            )
        )

    def add_handler(self, kind: ActorKind, handle: Handle, queues: Sequence[Queue]) -> None:
        """Serve ``queues`` with a bare handler, as the coordinator is served."""
        self._served.append(
            Served(kind, handle, tuple(queues), socket.gethostname(), drain_s=HAND_OVER_S)
        )

    async def run(self, stop: anyio.Event, ready: Callable[[], None] | None = None) -> None:
        """Serve until ``stop``; ``ready`` is called once every worker pulls."""
        async with AsyncExitStack() as stack:
            for actor in self._actors:
                await stack.enter_async_context(actor)
            stack.callback(self._stored.on_end(self._end_run))
            await self._serve(stop, ready)

    async def _serve(self, stop: anyio.Event, ready: Callable[[], None] | None) -> None:
        """Start all, wait for ``stop``, and end in order: sources, workers, presence."""
        sets: list[WorkerSet] = []
        async with anyio.create_task_group() as announcing:
            async with anyio.create_task_group() as working:
                async with anyio.create_task_group() as following:
                    for served in self._served:
                        workers = WorkerSet(
                            self._connection, served.handle, working, drain_s=served.drain_s
                        )
                        sets.append(workers)
                        await workers.serve(served.queues)
                        if served.source is not None:
                            await following.start(served.source.run, workers)
                        announcing.start_soon(self._announce, served, workers)
                    if ready is not None:
                        ready()
                    await stop.wait()
                    following.cancel_scope.cancel()
                for workers in sets:
                    workers.stop()
            announcing.cancel_scope.cancel()

    async def _announce(self, served: Served, workers: WorkerSet) -> None:
        started_at = datetime.now(UTC)

        async def describe() -> Presence:
            return Presence(
                kind=served.kind,
                instance=f"{served.name}-{os.getpid()}",
                host=served.name,
                pid=os.getpid(),
                version=self._version,
                started_at=started_at,
                num_in_flight=workers.num_in_flight,
                max_in_flight=workers.max_in_flight,
                report=await served.describe_host() if served.describe_host else None,
            )

        look_every_s = LOOK_EVERY_S if served.describe_host else None
        await self._board.keep_announcing(describe, look_every_s=look_every_s)

    def _end_run(self, run_id: str) -> None:
        for server in self._servers:
            server.end_run(run_id)
