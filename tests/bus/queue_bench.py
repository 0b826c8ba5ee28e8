"""A queue on a real server, and a record of what its handlers did."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from nats.js.api import ConsumerInfo, RetentionPolicy

from bus.connection import Connection
from bus.pull_worker import Delivery, Handle, PullWorker
from bus.topology import Consumer, Stream, ensure_consumer, ensure_stream
from promptbus.nats_server import NatsServer

STREAM = Stream("WORK", ("work.*",), RetentionPolicy.WORK_QUEUE)
PATIENT = Consumer("WORK", "patient", ("work.a",), 60.0)
HASTY = Consumer("WORK", "hasty", ("work.a",), 1.0)


class Bench:
    """A queue on a real server, and what its handlers did."""

    def __init__(self, connection: Connection, consumer: Consumer) -> None:
        self.connection = connection
        self.consumer = consumer
        self.done: Counter[bytes] = Counter()
        self.begun: list[bytes] = []
        self.num_active = 0
        self.max_active = 0

    async def submit(self, *names: str) -> None:
        """Put messages into the queue."""
        for name in names:
            await self.connection.jetstream.publish("work.a", name.encode(), timeout=20)

    @asynccontextmanager
    async def at_work(self, delivery: Delivery) -> AsyncIterator[None]:
        """Count a handler's work."""
        self.begun.append(delivery.data)
        self.num_active += 1
        self.max_active = max(self.max_active, self.num_active)
        try:
            yield
            self.done[delivery.data] += 1
        finally:
            self.num_active -= 1

    async def info(self) -> ConsumerInfo:
        """The queue as the server sees it."""
        info: ConsumerInfo = await self.connection.jetstream.consumer_info(
            "WORK", self.consumer.name
        )
        return info

    async def is_empty(self) -> None:
        """Return when nothing waits and nothing is unacknowledged."""
        with anyio.fail_after(20):
            while True:
                info = await self.info()
                if not info.num_pending and not info.num_ack_pending:
                    return
                await anyio.sleep(0.02)


@asynccontextmanager
async def bench(server: NatsServer, consumer: Consumer = PATIENT) -> AsyncIterator[Bench]:
    """An empty queue."""
    async with Connection(server.address, "test") as connection:
        await ensure_stream(connection.jetstream, STREAM.config(1))
        await ensure_consumer(connection.jetstream, consumer)
        yield Bench(connection, consumer)


@asynccontextmanager
async def serving(worker: PullWorker) -> AsyncIterator[PullWorker]:
    """The worker at work; stopped in order at the end."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(worker.run)
        try:
            yield worker
        finally:
            worker.stop()


def make(found: Bench, handle: Handle, max_in_flight: int = 4) -> PullWorker:
    """A worker on that queue."""
    return PullWorker(found.connection, found.consumer, handle, max_in_flight=max_in_flight)
