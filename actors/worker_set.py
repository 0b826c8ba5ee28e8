"""The pull workers of one actor: queues may come, go and change their size while it serves."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup, TaskStatus

from bus.connection import Connection
from bus.pull_worker import DRAIN_S, Handle, PullWorker
from bus.topology import Consumer


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue that an actor serves, ``max_in_flight`` messages at a time."""

    consumer: Consumer
    max_in_flight: int


class WorkerSet:
    """One worker per queue, run in ``tasks``; what they pull goes to ``handle``.

    What is in hand when a queue is left has ``drain_s`` to be finished.
    """

    def __init__(
        self, connection: Connection, handle: Handle, tasks: TaskGroup, *, drain_s: float = DRAIN_S
    ) -> None:
        self._connection = connection
        self._handle = handle
        self._tasks = tasks
        self._drain_s = drain_s
        self._serving: dict[str, tuple[Queue, PullWorker]] = {}
        self._leaving: dict[PullWorker, str] = {}
        self._stopped = False

    @property
    def num_in_flight(self) -> int:
        """Messages being worked on, those of queues that are being left included."""
        serving = sum(worker.num_in_flight for _, worker in self._serving.values())
        return serving + sum(worker.num_in_flight for worker in self._leaving)

    @property
    def max_in_flight(self) -> int:
        """Messages that may be worked on at a time."""
        return sum(queue.max_in_flight for queue, _ in self._serving.values())

    def works_on(self, consumer: str) -> bool:
        """Whether messages of the consumer of that name are pulled or still being worked on."""
        return consumer in self._serving or consumer in self._leaving.values()

    async def serve(self, queues: Sequence[Queue]) -> None:
        """Serve exactly ``queues`` from now on.

        Returns once new queues are pulled from; what was taken from the others is finished first.
        """
        wanted = {queue.consumer.name: queue for queue in queues if not self._stopped}
        for name in set(self._serving) - set(wanted):
            self._leave(name)
        for name, queue in wanted.items():
            if name not in self._serving:
                await self._start(queue)
            elif self._serving[name][0] != queue:
                worker = self._serving[name][1]
                self._serving[name] = (queue, worker)
                await worker.resize(queue.max_in_flight)

    def stop(self) -> None:
        """Take no more messages; the workers end once those in flight are done."""
        self._stopped = True
        for name in tuple(self._serving):
            self._leave(name)

    async def _start(self, queue: Queue) -> None:
        worker = PullWorker(
            self._connection,
            queue.consumer,
            self._handle,
            max_in_flight=queue.max_in_flight,
            drain_s=self._drain_s,
        )
        await self._tasks.start(self._run, worker)
        self._serving[queue.consumer.name] = (queue, worker)

    async def _run(
        self, worker: PullWorker, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        await worker.run(task_status=task_status)
        self._leaving.pop(worker, None)

    def _leave(self, name: str) -> None:
        _, worker = self._serving.pop(name)
        self._leaving[worker] = name
        worker.stop()
