"""What waits in queues that no executor will ever serve, taken from them so that it is refused."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskStatus
from nats.errors import Error as NatsError

from actors.worker_set import Queue
from bus.topology import LEASE_S, executor_consumer
from contracts.prompt import Priority

logger = logging.getLogger(__name__)

EVERY_S = 0.5
# Of each queue at a time; a refusal takes one look at the hosts.
MAX_IN_FLIGHT = 16


class Workers(Protocol):
    """What pulls from the queues it is told to serve."""

    async def serve(self, queues: Sequence[Queue]) -> None:
        """Serve exactly ``queues`` from now on."""
        ...


class RefusalQueues:
    """A monitor's ``own`` queues, and those of models that are ``hopeless``.

    A fresh request for such a model is refused before it is queued. What was queued while a host
    could serve it, and lost that host since, comes to the monitors instead.
    """

    def __init__(
        self,
        *,
        own: Sequence[Queue],
        hopeless: Callable[[], Collection[str]],
        lease_s: float = LEASE_S,
        every_s: float = EVERY_S,
    ) -> None:
        self._own = tuple(own)
        self._hopeless = hopeless
        self._lease_s = lease_s
        self._every_s = every_s

    async def run(
        self, workers: Workers, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve them until cancelled."""
        task_status.started()
        serving: frozenset[str] = frozenset()
        while True:
            hopeless = frozenset(self._hopeless())
            if hopeless != serving:
                try:
                    await workers.serve((*self._own, *self._queues(hopeless)))
                    serving = hopeless
                except (NatsError, TimeoutError) as exc:
                    logger.warning("nothing refused: %s", exc)
            await anyio.sleep(self._every_s)

    def _queues(self, models: Collection[str]) -> Sequence[Queue]:
        return [
            Queue(executor_consumer(model, priority, self._lease_s), MAX_IN_FLIGHT)
            for model in sorted(models)
            for priority in Priority
        ]
