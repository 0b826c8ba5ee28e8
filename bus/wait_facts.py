"""Reads from the bus what explains why generations wait."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from nats.js.errors import NotFoundError

from bus.connection import Connection
from bus.topology import TASKS
from contracts import subjects
from contracts.placement import HostPlacement
from contracts.presence import HostReport
from contracts.prompt import Priority
from contracts.wait_reason import ModelFacts, QueueState

logger = logging.getLogger(__name__)

ReadHosts = Callable[[], Awaitable[Sequence[HostReport]]]
ReadPlacements = Callable[[], Awaitable[Sequence[HostPlacement]]]


class WaitFacts:
    """One look at queues, machines and placements, for any number of models.

    A look costs one request, and one more for each queue that holds something.
    """

    def __init__(
        self, connection: Connection, hosts: ReadHosts, placements: ReadPlacements
    ) -> None:
        self._connection = connection
        self._hosts = hosts
        self._placements = placements

    async def read(self, models: Sequence[str]) -> dict[str, ModelFacts]:
        """The facts of each of ``models`` as they are now; "" stands for no model in particular.

        Raises: BusUnavailable, and what the JetStream API raises while the server is not ready.
        """
        info = await self._connection.jetstream.stream_info(
            TASKS, subjects_filter=subjects.EXECUTOR_TASKS_ALL
        )
        num_stored = info.state.subjects or {}
        hosts = tuple(await self._hosts())
        placements = tuple(await self._placements())
        return {
            model: ModelFacts(
                model=model,
                queues=await self._queues(model, num_stored),
                last_sequence=info.state.last_seq,
                hosts=hosts,
                placements=placements,
            )
            for model in models
        }

    async def _queues(
        self, model: str, num_stored: Mapping[str, int]
    ) -> dict[Priority, QueueState]:
        found: dict[Priority, QueueState] = {}
        for priority in Priority if model else ():
            stored = num_stored.get(subjects.executor_tasks(model, priority), 0)
            if stored:
                found[priority] = await self._queue(model, priority, stored)
        return found

    async def _queue(self, model: str, priority: Priority, num_stored: int) -> QueueState:
        name = subjects.executor_consumer(model, priority)
        try:
            info = await self._connection.jetstream.consumer_info(TASKS, name)
        except NotFoundError:
            # No executor ever served this model: all that was asked for lies there.
            return QueueState(num_pending=num_stored)
        return QueueState(
            num_pending=info.num_pending or 0,
            num_taken=info.num_ack_pending or 0,
            delivered=info.delivered.stream_seq if info.delivered else 0,
            num_pulling=info.num_waiting or 0,
        )
