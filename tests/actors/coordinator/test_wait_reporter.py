"""Runs whose generation nobody has taken are told why they wait, over a real bus."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio
from anyio.abc import TaskGroup

from actors.actor import Step
from actors.coordinator import WaitFacts, WaitReporter
from bus.prompt_client import RunItem
from bus.pull_worker import Delivery, PullWorker
from bus.run_journal import RunJournal
from bus.topology import executor_consumer
from bus.wait_stream import WaitStreams
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.envelope import decode
from contracts.event import Outcome, StepEvent
from contracts.journal_entry import JournalEntry
from contracts.placement import HostPlacement
from contracts.presence import Presence
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from contracts.wait_reason import ModelFacts
from contracts.waiting import WaitCause, WaitNote, WaitReport
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.actors.coordinator.team import SCRIPTED, ScriptedExecutor, answer_to, team
from tests.bus.tools import until
from tests.contracts.test_wait_reason import MODEL, host, report

LOOK_EVERY_S = 0.1


async def nothing_placed() -> Sequence[HostPlacement]:
    """No monitor has decided anything."""
    return ()


@dataclass
class Desk:
    """A process that asks for generations, and what it hears about why they wait."""

    process: Process
    reporter: WaitReporter
    tasks: TaskGroup
    streams: WaitStreams
    looks: list[Sequence[str]]
    heard: dict[str, list[WaitReport]] = field(default_factory=lambda: defaultdict(list))

    async def ask(self, priority: Priority = Priority.NORMAL) -> str:
        """Ask for a generation; returns its run once the task is stored."""
        task = GenerateAnswer(run_id=new_run_id(), model=MODEL, prompt="hi", priority=priority)
        self.streams.listen(task.run_id, self.heard[task.run_id].append)
        before = await self.num_tasks()
        self.tasks.start_soon(self._ask, task)
        with anyio.fail_after(20):
            while await self.num_tasks() == before:
                await anyio.sleep(0.01)
        return task.run_id

    async def _ask(self, task: GenerateAnswer) -> None:
        journal = RunJournal(
            task.run_id,
            connection=self.process.connection,
            journal=self.process.journal,
            stored=self.process.stored,
            publisher=self.process.publisher,
        )
        async with journal:
            with self.reporter.watch(task) as watched:
                await journal.ask(task, deadline_s=60, on_sent=watched.on_sent)

    async def num_tasks(self) -> int:
        """Tasks that wait or are being worked on."""
        return (await self.process.connection.jetstream.stream_info("TASKS")).state.messages

    def last(self, run_id: str) -> WaitReport | None:
        """The last note on that run."""
        return self.heard[run_id][-1] if self.heard[run_id] else None

    async def until_position(self, *run_ids: str) -> None:
        """Return as soon as these runs are told to stand in this order, from the first."""
        await until(lambda: [_position(self.last(run)) for run in run_ids] == _range(run_ids))


def _position(note: WaitReport | None) -> int | None:
    return None if note is None else note.position


def _range(run_ids: Sequence[str]) -> list[int]:
    return list(range(len(run_ids)))


@asynccontextmanager
async def desks(settings: Settings) -> AsyncIterator[Desk]:
    """A desk whose reporter looks ten times a second."""
    looks: list[Sequence[str]] = []
    async with (
        open_process(settings, "test") as process,
        WaitStreams(process.connection) as streams,
        anyio.create_task_group() as tasks,
    ):
        facts = WaitFacts(process.connection, process.board.hosts, nothing_placed)

        async def read(models: Sequence[str]) -> Mapping[str, ModelFacts]:
            looks.append(models)
            return await facts.read(models)

        reporter = WaitReporter(process.connection, read, look_every_s=LOOK_EVERY_S)
        tasks.start_soon(reporter.run)
        yield Desk(process, reporter, tasks, streams, looks)
        tasks.cancel_scope.cancel()


async def announce(process: Process) -> None:
    """An executor that serves the model in one slot makes itself known."""
    await process.board.announce(
        Presence(
            kind=ActorKind.EXECUTOR,
            instance="gpu-1",
            host="gpu-1",
            pid=1,
            version="0",
            started_at=datetime.now(UTC),
            report=host("gpu-1", report(resident=True, generation_s=2.0)),
        )
    )


def worker(
    process: Process, priority: Priority, handle: Callable[[Delivery], Awaitable[None]]
) -> PullWorker:
    """Takes one generation at a time."""
    consumer = executor_consumer(MODEL, priority)
    return PullWorker(process.connection, consumer, handle, max_in_flight=1)


async def test_without_an_executor_each_run_hears_so_and_where_it_stands(
    settings: Settings,
) -> None:
    async with desks(settings) as desk:
        batch = await desk.ask(Priority.BATCH)
        first, second = await desk.ask(), await desk.ask()
        urgent = await desk.ask(Priority.INTERACTIVE)
        await desk.until_position(urgent, first, second, batch)
        for run_id in (urgent, first, second, batch):
            assert {note.cause for note in desk.heard[run_id]} == {WaitCause.NO_HOST}
            assert {note.message for note in desk.heard[run_id]} == {"no executor is present"}
            assert {(note.run_id, note.attempt) for note in desk.heard[run_id]} == {(run_id, 1)}
        assert {len(models) for models in desk.looks} == {1}


async def test_a_run_whose_task_was_taken_is_left_to_its_executor(settings: Settings) -> None:
    async with desks(settings) as desk:
        await announce(desk.process)
        taken: list[str] = []
        release = anyio.Event()

        async def hold(delivery: Delivery) -> None:
            task = decode(GenerateAnswer, delivery.subject, delivery.data)
            taken.append(task.run_id)
            await release.wait()
            place = subjects.step_event(task.run_id, ActorKind.EXECUTOR, task.attempt)
            await desk.process.journal.write(place, answer_to(task))

        async with anyio.create_task_group() as tasks:
            await tasks.start(worker(desk.process, Priority.NORMAL, hold).run)
            first, second, third = await desk.ask(), await desk.ask(), await desk.ask()
            await desk.until_position(second, third)
            assert taken == [first]
            assert desk.last(second) is not None
            assert {note.cause for note in desk.heard[second]} == {WaitCause.QUEUED}
            num_heard = len(desk.heard[first])
            num_looks = len(desk.looks)
            await until(lambda: len(desk.looks) > num_looks + 5)
            assert len(desk.heard[first]) == num_heard
            release.set()
            await until(lambda: desk.reporter.num_watched == 0)
            tasks.cancel_scope.cancel()


async def test_nothing_is_read_while_nothing_waits_nor_told_after_the_end(
    settings: Settings,
) -> None:
    async with desks(settings) as desk:
        assert desk.looks == []
        run_id = await desk.ask()
        await until(lambda: desk.last(run_id) is not None)
        task = GenerateAnswer(run_id=run_id, model=MODEL, prompt="hi")
        place = subjects.step_event(run_id, ActorKind.EXECUTOR, 1)
        await desk.process.journal.write(place, answer_to(task))
        await until(lambda: desk.reporter.num_watched == 0)
        await anyio.sleep(2 * LOOK_EVERY_S)
        num_looks, num_heard = len(desk.looks), len(desk.heard[run_id])
        await anyio.sleep(5 * LOOK_EVERY_S)
        assert (len(desk.looks), len(desk.heard[run_id])) == (num_looks, num_heard)
        # And it begins again with the next that waits.
        again = await desk.ask()
        await until(lambda: desk.last(again) is not None)


async def test_a_restart_of_the_server_does_not_end_the_reports(
    settings: Settings, nats_server: NatsServer
) -> None:
    async with desks(settings) as desk:
        first, second = await desk.ask(), await desk.ask()
        await desk.until_position(first, second)
        nats_server.kill()
        num_looks = len(desk.looks)
        await until(lambda: len(desk.looks) > num_looks)
        await anyio.to_thread.run_sync(nats_server.start)
        await until(lambda: desk.process.connection.is_connected)
        num_heard = {run_id: len(desk.heard[run_id]) for run_id in (first, second)}
        await until(lambda: all(len(desk.heard[run]) > num for run, num in num_heard.items()))
        await until(lambda: {_position(desk.last(first)), _position(desk.last(second))} == {0, 1})


async def follow_to_end(items: AsyncIterator[RunItem]) -> tuple[list[WaitReport], list[Outcome]]:
    """The notes of a followed run, and its outcome."""
    notes: list[WaitReport] = []
    outcomes: list[Outcome] = []
    async for item in items:
        if isinstance(item, WaitReport):
            notes.append(item)
        elif isinstance(item, JournalEntry) and isinstance(item.event, Outcome):
            outcomes.append(item.event)
    return notes, outcomes


async def first_note(items: AsyncIterator[RunItem]) -> WaitReport:
    """The first note of a followed run."""
    async for item in items:
        if isinstance(item, WaitReport):
            return item
    raise AssertionError("the run ended without a note")


async def test_a_whole_run_without_an_executor_is_told_to_who_follows_and_who_looks(
    settings: Settings,
) -> None:
    async with team(settings, without=[ActorKind.EXECUTOR]) as found:
        run_id = await found.submit(model=SCRIPTED, strategy="standard")
        with anyio.fail_after(20):
            async with aclosing(found.client.follow(run_id)) as items:
                note = await first_note(items)
        assert (note.cause, note.message) == (WaitCause.NO_HOST, "no executor is present")
        waiting = (await found.client.view(run_id)).waiting
        assert waiting is not None
        assert waiting.cause is WaitCause.NO_HOST
        await found.client.cancel(run_id)
        assert (await found.client.wait(run_id, timeout_s=20)).waiting is None


async def test_what_an_executor_tells_reaches_followers_in_order(settings: Settings) -> None:
    told = [
        WaitNote(model=SCRIPTED, cause=WaitCause.QUEUED, message="two ahead", position=2),
        WaitNote(model=SCRIPTED, cause=WaitCause.LOADING, message="loading", progress=0.5),
    ]

    async def answer(task: GenerateAnswer, step: Step) -> StepEvent:
        for note in told:
            await step.report_wait(note)
            await anyio.sleep(0.2)
        await step.emit("hello")
        await step.finish()
        return answer_to(task)

    async with team(settings, ScriptedExecutor(answer)) as found:
        run_id = new_run_id()
        async with aclosing(found.client.follow(run_id)) as items:
            await found.submit(run_id=run_id, model=SCRIPTED, strategy="standard")
            with anyio.fail_after(30):
                notes, outcomes = await follow_to_end(items)
        assert [(note.message, note.attempt) for note in notes] == [
            ("two ahead", 1),
            ("loading", 1),
        ]
        assert [outcome.state for outcome in outcomes] == ["answered"]
