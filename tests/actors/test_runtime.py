"""Serving actors: who is there says so, and an end in order leaves nothing half done."""

from functools import partial
from typing import ClassVar

import anyio

from actors.actor import Actor, handler
from actors.runtime import ActorRuntime, Queue
from bus.pull_worker import Delivery
from bus.topology import prompt_consumer, task_consumer
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import OutputValidated, StepEvent
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import ValidateOutput
from promptbus.process import Process
from promptbus.settings import Settings
from tests.actors.coordinator.team import Team, at_the_bus


class Patient(Actor):
    """A validator that takes its time, and says when it is opened and closed."""

    kind: ClassVar[ActorKind] = ActorKind.VALIDATOR

    def __init__(self) -> None:
        self.told: list[str] = []
        self.free = anyio.Event()

    async def __aenter__(self) -> "Patient":
        self.told.append("opened")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.told.append("closed")

    @handler
    async def validate(self, task: ValidateOutput) -> StepEvent:
        """Wait until it is let go."""
        self.told.append("begun")
        await self.free.wait()
        return OutputValidated(run_id=task.run_id, score=100, verdict="accept")


def runtime_of(process: Process) -> ActorRuntime:
    """A runtime on that process."""
    return ActorRuntime(
        connection=process.connection,
        publisher=process.publisher,
        journal=process.journal,
        stored=process.stored,
        board=process.board,
        version="1.2.3",
    )


async def told(actor: Patient, word: str, number: int = 1) -> None:
    """Return as soon as the actor said ``word`` so often."""
    with anyio.fail_after(20):
        while actor.told.count(word) < number:
            await anyio.sleep(0.01)


async def ask(found: Team) -> str:
    """Ask for a step; its run id."""
    run_id = new_run_id()
    task = ValidateOutput(run_id=run_id, prompt="p", output="o")
    await found.process.publisher.publish(subjects.tasks(ActorKind.VALIDATOR), task)
    return run_id


async def test_what_is_in_hand_at_the_end_is_finished_and_no_more_is_taken(
    settings: Settings,
) -> None:
    actor, stop = Patient(), anyio.Event()
    async with at_the_bus(settings) as found, anyio.create_task_group() as tasks:
        runtime = runtime_of(found.process)
        runtime.add(actor, [Queue(task_consumer(ActorKind.VALIDATOR), 2)])
        tasks.start_soon(runtime.run, stop)
        begun = [await ask(found) for _ in range(2)]
        await told(actor, "begun", 2)
        stop.set()
        await anyio.sleep(0.05)
        late = await ask(found)
        actor.free.set()
        await told(actor, "closed")
        for run_id in begun:
            assert "validator/1" in await found.steps(run_id)
        assert await found.steps(late) == []
    assert actor.told == ["opened", "begun", "begun", "closed"]


async def test_an_actor_is_present_while_it_serves(settings: Settings) -> None:
    actor, stop = Patient(), anyio.Event()
    async with at_the_bus(settings) as found, anyio.create_task_group() as tasks:
        board = found.process.board
        runtime = runtime_of(found.process)
        runtime.add(actor, [Queue(task_consumer(ActorKind.VALIDATOR), 2)])
        tasks.start_soon(runtime.run, stop)
        with anyio.fail_after(20):
            while not (present := await board.present(max_age_s=0)):
                await anyio.sleep(0.01)
            (one,) = present
            assert (one.kind, one.version, one.max_in_flight) == (actor.kind, "1.2.3", 2)
            stop.set()
            while await board.present(max_age_s=0):
                await anyio.sleep(0.01)


async def test_it_is_ready_when_it_takes_messages(settings: Settings) -> None:
    actor, stop, ready = Patient(), anyio.Event(), anyio.Event()
    async with at_the_bus(settings) as found, anyio.create_task_group() as tasks:
        runtime = runtime_of(found.process)
        runtime.add(actor, [Queue(task_consumer(ActorKind.VALIDATOR), 2)])
        tasks.start_soon(partial(runtime.run, stop, ready.set))
        with anyio.fail_after(20):
            await ready.wait()
        assert actor.told == ["opened"]
        actor.free.set()
        await found.reached(await ask(found), "validator/1")
        stop.set()


async def test_a_lease_is_handed_over_at_the_end_rather_than_held(settings: Settings) -> None:
    """A run may need actors that stop with its coordinator; another one replays it."""
    leases: list[tuple[str, int]] = []

    async def lead(name: str, delivery: Delivery) -> None:
        leases.append((name, delivery.num_delivered))
        if name == "first":
            await anyio.sleep_forever()

    async with at_the_bus(settings) as found, anyio.create_task_group() as tasks:
        await found.submit()
        for name in ("first", "second"):
            stop = anyio.Event()
            runtime = runtime_of(found.process)
            queue = Queue(prompt_consumer(Priority.NORMAL), 4)
            runtime.add_handler(ActorKind.COORDINATOR, partial(lead, name), [queue])
            tasks.start_soon(runtime.run, stop)
            with anyio.fail_after(20):
                while not leases or leases[-1][0] != name:
                    await anyio.sleep(0.01)
            stop.set()
        await found.idle("PROMPTS")
    assert leases == [("first", 1), ("second", 2)]
