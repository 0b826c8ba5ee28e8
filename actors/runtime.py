"""Serves any set of actors in one process: workers, presence, cancellation, orderly end."""

import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

from actors.actor import Actor
from actors.task_server import TaskServer
from bus.connection import Connection
from bus.journal import Journal
from bus.presence_board import PresenceBoard
from bus.publisher import Publisher
from bus.pull_worker import DRAIN_S, Handle, PullWorker
from bus.stored_events import StoredEvents
from bus.topology import Consumer
from contracts.actor_kind import ActorKind
from contracts.presence import HostReport, Presence

logger = logging.getLogger(__name__)

# A lease is handed over rather than held to its run's end: replay costs nothing, and the actors
# that the run needs may be stopping in this very process.
HAND_OVER_S = 0.5

DescribeHost = Callable[[], Awaitable[HostReport | None]]


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue that an actor serves, ``max_in_flight`` messages at a time."""

    consumer: Consumer
    max_in_flight: int


@dataclass(frozen=True, slots=True)
class Served:
    """An actor kind, what handles its messages, and the queues they come from.

    At the end, what is in hand has ``drain_s`` to be finished; then it goes back to its queue.
    """

    kind: ActorKind
    handle: Handle
    queues: tuple[Queue, ...]
    describe_host: DescribeHost | None = None
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
        self, actor: Actor, queues: Sequence[Queue], describe_host: DescribeHost | None = None
    ) -> None:
        """Serve ``actor`` from ``queues``."""
        server = TaskServer(
            actor,
            connection=self._connection,
            journal=self._journal,
            publisher=self._publisher,
        )
        self._actors.append(actor)
        self._servers.append(server)
        self._served.append(Served(actor.kind, server.handle, tuple(queues), describe_host))

    def add_handler(self, kind: ActorKind, handle: Handle, queues: Sequence[Queue]) -> None:
        """Serve ``queues`` with a bare handler, as the coordinator is served."""
        self._served.append(Served(kind, handle, tuple(queues), drain_s=HAND_OVER_S))

    async def run(self, stop: anyio.Event, ready: Callable[[], None] | None = None) -> None:
        """Serve until ``stop``; ``ready`` is called once every worker pulls."""
        workers = {
            served.kind: [
                PullWorker(
                    self._connection,
                    queue.consumer,
                    served.handle,
                    max_in_flight=queue.max_in_flight,
                    drain_s=served.drain_s,
                )
                for queue in served.queues
            ]
            for served in self._served
        }
        async with AsyncExitStack() as stack:
            for actor in self._actors:
                await stack.enter_async_context(actor)
            stack.callback(self._stored.on_end(self._end_run))
            await self._serve(workers, stop, ready)

    async def _serve(
        self,
        workers: dict[ActorKind, list[PullWorker]],
        stop: anyio.Event,
        ready: Callable[[], None] | None,
    ) -> None:
        async with anyio.create_task_group() as announcing:
            async with anyio.create_task_group() as working:
                for served in self._served:
                    for worker in workers[served.kind]:
                        await working.start(worker.run)
                    announcing.start_soon(self._announce, served, workers[served.kind])
                if ready is not None:
                    ready()
                await stop.wait()
                for worker in (one for some in workers.values() for one in some):
                    worker.stop()
            announcing.cancel_scope.cancel()

    async def _announce(self, served: Served, workers: Sequence[PullWorker]) -> None:
        started_at = datetime.now(UTC)
        host = socket.gethostname()

        async def describe() -> Presence:
            return Presence(
                kind=served.kind,
                instance=f"{host}-{os.getpid()}",
                host=host,
                pid=os.getpid(),
                version=self._version,
                started_at=started_at,
                num_in_flight=sum(worker.num_in_flight for worker in workers),
                max_in_flight=sum(queue.max_in_flight for queue in served.queues),
                report=await served.describe_host() if served.describe_host else None,
            )

        await self._board.keep_announcing(describe)

    def _end_run(self, run_id: str) -> None:
        for server in self._servers:
            server.end_run(run_id)
