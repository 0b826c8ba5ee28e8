"""Workers whose queues come, go and change their size."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from actors.worker_set import Queue, WorkerSet
from bus.pull_worker import Delivery
from bus.run_journal import task_subject
from bus.topology import Consumer, ensure_consumer, executor_consumer
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.tools import until


class Desk:
    """Takes messages and finishes them when told."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.may_finish = anyio.Event()
        self.num_finished = 0

    async def handle(self, delivery: Delivery) -> None:
        """Hold a message until it may be finished."""
        self.taken.append(delivery.subject.split(".")[2])
        await self.may_finish.wait()
        self.num_finished += 1


async def consumer(process: Process, model: str) -> Consumer:
    """The queue of a model, made."""
    made = executor_consumer(model, Priority.NORMAL)
    await ensure_consumer(process.connection.jetstream, made)
    return made


async def ask(process: Process, model: str, count: int = 1) -> None:
    """Generations for ``model``."""
    for _ in range(count):
        task = GenerateAnswer(run_id=new_run_id(), model=model, prompt="hi")
        await process.publisher.publish(task_subject(task), task)


@asynccontextmanager
async def worker_set(process: Process, desk: Desk) -> AsyncIterator[WorkerSet]:
    """Workers that have ended when the block has."""
    async with anyio.create_task_group() as tasks:
        workers = WorkerSet(process.connection, desk.handle, tasks)
        yield workers
        desk.may_finish.set()
        workers.stop()


async def test_it_pulls_from_the_queues_it_serves_and_from_no_others(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        desk = Desk()
        one, two = await consumer(process, "one"), await consumer(process, "two")
        async with worker_set(process, desk) as workers:
            await workers.serve([Queue(one, 4)])
            await ask(process, "two")
            await ask(process, "one")
            await until(lambda: desk.taken == ["one"])
            assert (workers.num_in_flight, workers.max_in_flight) == (1, 4)
            await workers.serve([Queue(one, 4), Queue(two, 2)])
            await until(lambda: desk.taken == ["one", "two"])
            assert (workers.num_in_flight, workers.max_in_flight) == (2, 6)


async def test_a_queue_that_is_left_is_worked_off_and_pulled_from_no_more(
    settings: Settings,
) -> None:
    async with open_process(settings, "test") as process:
        desk = Desk()
        one, two = await consumer(process, "one"), await consumer(process, "two")
        async with worker_set(process, desk) as workers:
            await workers.serve([Queue(one, 4), Queue(two, 4)])
            await ask(process, "one")
            await until(lambda: desk.taken == ["one"])
            await workers.serve([Queue(two, 4)])
            assert (workers.num_in_flight, workers.max_in_flight) == (1, 4)
            assert workers.works_on(one.name)
            desk.may_finish.set()
            await until(lambda: not workers.works_on(one.name))
            assert desk.num_finished == 1
            await ask(process, "one")
            await ask(process, "two")
            await until(lambda: desk.taken == ["one", "two"])
            await workers.serve([Queue(one, 4)])
            await until(lambda: desk.taken == ["one", "two", "one"])


async def test_a_queue_that_grows_takes_more_at_a_time(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        desk = Desk()
        one = await consumer(process, "one")
        async with worker_set(process, desk) as workers:
            await workers.serve([Queue(one, 1)])
            await ask(process, "one", 5)
            await until(lambda: len(desk.taken) == 1)
            await workers.serve([Queue(one, 3)])
            await until(lambda: len(desk.taken) == 3)
            assert workers.num_in_flight == 3


async def test_after_the_stop_nothing_is_served_any_more(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        desk = Desk()
        one = await consumer(process, "one")
        async with worker_set(process, desk) as workers:
            workers.stop()
            await workers.serve([Queue(one, 1)])
            assert workers.max_in_flight == 0
            assert not workers.works_on(one.name)
