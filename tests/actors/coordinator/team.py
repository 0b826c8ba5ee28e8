"""Actors at work in the test's own event loop: the real six, and some that follow a script."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import anyio

from actors.actor import Actor, Step, handler
from actors.runtime import ActorRuntime, Queue
from bus.direct_get import DirectGet
from bus.prompt_client import PromptClient
from bus.topology import DEAD, TASKS, ensure_consumer, executor_consumer, task_consumer
from contracts.actor_kind import ActorKind
from contracts.dead_letter import DeadLetter
from contracts.event import AnswerGenerated, Event, Outcome, StepEvent
from contracts.journal_entry import JournalEntry
from contracts.presence import HostReport, ModelReport
from contracts.prompt import Priority, SubmitPrompt
from contracts.task import GenerateAnswer
from promptbus.bootstrap import serve_actors
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.contracts.journals import result

SCRIPTED = "scripted"
PATIENCE_S = 20.0
# Long enough to finish what is in hand; who hangs on purpose is cancelled after it.
LEAVE_S = 3.0

Play = Callable[[GenerateAnswer, Step], Awaitable[StepEvent]]


def answer_to(task: GenerateAnswer, output: str = "hello") -> AnswerGenerated:
    """An answer of the scripted model."""
    found = result(output, model=SCRIPTED)
    return AnswerGenerated(run_id=task.run_id, attempt=task.attempt, result=found)


class ScriptedExecutor(Actor):
    """Serves the model ``scripted`` as ``play`` says, and remembers what it was asked."""

    kind: ClassVar[ActorKind] = ActorKind.EXECUTOR

    def __init__(self, play: Play) -> None:
        self._play = play
        self.asked: list[GenerateAnswer] = []

    @handler
    async def generate(self, task: GenerateAnswer, step: Step) -> StepEvent:
        """Follow the script."""
        self.asked.append(task)
        return await self._play(task, step)


async def _describe() -> HostReport:
    model = ModelReport(
        model=SCRIPTED,
        provider="local",
        source="local",
        strategies=("standard",),
        default_strategy="standard",
        resident=True,
    )
    return HostReport(host="stage", num_cpus=1, models=(model,))


@asynccontextmanager
async def serving(
    process: Process, kinds: Iterable[ActorKind] = (), actors: Iterable[Actor] = ()
) -> AsyncIterator[None]:
    """Serve the real actors of ``kinds``, and ``actors`` besides, until the end of the block."""
    wanted, made = tuple(kinds), tuple(actors)
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        runtime = await _runtime(process, made)
        starts = [partial(serve_actors, process, wanted, stop), partial(runtime.run, stop)]
        for start in starts:
            ready = anyio.Event()
            tasks.start_soon(start, ready.set)
            with anyio.fail_after(PATIENCE_S):
                await ready.wait()
        try:
            await _all_present(process, {*wanted, *(actor.kind for actor in made)})
            yield
        finally:
            stop.set()
            tasks.cancel_scope.deadline = anyio.current_time() + LEAVE_S


async def _runtime(process: Process, actors: Iterable[Actor]) -> ActorRuntime:
    runtime = ActorRuntime(
        connection=process.connection,
        publisher=process.publisher,
        journal=process.journal,
        stored=process.stored,
        board=process.board,
        version="0",
    )
    for actor in actors:
        if actor.kind is ActorKind.EXECUTOR:
            consumers = [executor_consumer(SCRIPTED, priority) for priority in Priority]
            for consumer in consumers:
                await ensure_consumer(process.connection.jetstream, consumer)
            runtime.add(actor, [Queue(consumer, 8) for consumer in consumers], _describe)
        else:
            runtime.add(actor, (Queue(task_consumer(actor.kind), 8),))
    return runtime


async def _all_present(process: Process, kinds: set[ActorKind]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not kinds <= {one.kind for one in await process.board.present(max_age_s=0)}:
            await anyio.sleep(0.02)


@dataclass(frozen=True)
class Team:
    """A process with actors at work, and a client that asks them."""

    process: Process
    client: PromptClient

    async def submit(self, prompt: str = "Say: hello", **wishes: object) -> str:
        """Submit a prompt; the run id."""
        return await self.client.submit(SubmitPrompt.model_validate({"prompt": prompt, **wishes}))

    async def submit_raw(self, payload: object, priority: Priority = Priority.NORMAL) -> None:
        """Publish any payload where prompts are submitted, as any NATS client may."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await self.process.connection.jetstream.publish(f"prompts.{priority}", data)

    async def outcome(self, run_id: str) -> Outcome:
        """The outcome, as soon as there is one."""
        with anyio.fail_after(PATIENCE_S):
            async with aclosing(self.client.follow(run_id)) as items:
                async for item in items:
                    if isinstance(item, JournalEntry) and isinstance(item.event, Outcome):
                        return item.event
        raise AssertionError("a followed run ends with its outcome")

    async def events(self, run_id: str) -> dict[str, Event]:
        """The journal so far, by step."""
        entries = await self.client.journal.read(run_id)
        assert len({entry.subject.step for entry in entries}) == len(entries)
        return {entry.subject.step: entry.event for entry in entries}

    async def steps(self, run_id: str) -> list[str]:
        """The steps of the journal so far, in order."""
        return list(await self.events(run_id))

    async def reached(self, run_id: str, step: str) -> None:
        """Return as soon as ``step`` stands in the journal."""
        with anyio.fail_after(PATIENCE_S):
            while step not in await self.steps(run_id):
                await anyio.sleep(0.01)

    async def dead_letters(self, actor: ActorKind, number: int = 1) -> list[DeadLetter]:
        """The dead letters of ``actor``, as soon as there are ``number``."""
        direct = DirectGet(self.process.connection, DEAD)
        with anyio.fail_after(PATIENCE_S):
            while len(found := await direct.read_all(f"dead.{actor}")) < number:
                await anyio.sleep(0.02)
        return [DeadLetter.model_validate_json(message.data) for message in found]

    async def idle(self, stream: str = TASKS) -> None:
        """Return as soon as no message of ``stream`` waits or is being worked on."""
        with anyio.fail_after(PATIENCE_S):
            while (await self.process.connection.jetstream.stream_info(stream)).state.messages:
                await anyio.sleep(0.02)


@asynccontextmanager
async def at_the_bus(settings: Settings) -> AsyncIterator[Team]:
    """A process and a client, with nobody at work yet."""
    async with (
        open_process(settings, "test") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        yield Team(process, client)


@asynccontextmanager
async def team(
    settings: Settings,
    *actors: Actor,
    kinds: Iterable[ActorKind] | None = None,
    without: Iterable[ActorKind] = (),
) -> AsyncIterator[Team]:
    """The real actors at work (of ``kinds``, all by default), and ``actors`` besides."""
    left_out = {*without, *(actor.kind for actor in actors)}
    wanted = [kind for kind in (ActorKind if kinds is None else kinds) if kind not in left_out]
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(at_the_bus(settings))
        await stack.enter_async_context(serving(found.process, wanted, actors))
        yield found
