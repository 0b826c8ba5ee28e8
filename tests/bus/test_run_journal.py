"""A run's journal in the hands of its coordinator: it asks once, and adopts what stands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest

from bus.pull_worker import Delivery, PullWorker
from bus.run_journal import RunJournal, task_subject
from bus.topology import task_consumer
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.envelope import decode
from contracts.errors import BusUnavailable
from contracts.event import (
    CancelRequested,
    RunFailed,
    RunStarted,
    StepEvent,
    StepFailed,
)
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import new_run_id
from contracts.task import AnalyzePrompt, GenerateAnswer
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.test_journal import analyzed, place
from tests.bus.tools import until, wire_to
from tests.contracts.journals import ERROR


def journal_of(
    process: Process, run_id: str, *, is_new: bool = False, taken_over: bool = False
) -> RunJournal:
    """The journal of that run in this process, soon impatient."""
    return RunJournal(
        run_id,
        is_new=is_new,
        taken_over=taken_over,
        silence_s=0.3,
        connection=process.connection,
        journal=process.journal,
        stored=process.stored,
        publisher=process.publisher,
    )


@asynccontextmanager
async def leading(settings: Settings) -> AsyncIterator[tuple[Process, RunJournal]]:
    """A process and the open journal of a new run."""
    async with open_process(settings, "test") as process:
        async with journal_of(process, new_run_id()) as journal:
            yield process, journal


async def num_tasks(process: Process) -> int:
    """Tasks that wait."""
    return (await process.connection.jetstream.stream_info("TASKS")).state.messages


def ask_of(run_id: str, attempt: int = 1) -> AnalyzePrompt:
    """A step to ask for."""
    return AnalyzePrompt(run_id=run_id, attempt=attempt, prompt="hi")


async def test_asking_publishes_the_task_and_returns_what_was_stored(settings: Settings) -> None:
    async with leading(settings) as (process, journal):
        found: list[StepEvent] = []

        async def ask() -> None:
            found.append(await journal.ask(ask_of(journal.run_id), deadline_s=30))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            with anyio.fail_after(20):
                while not await num_tasks(process):
                    await anyio.sleep(0.01)
            await process.journal.write(place(journal.run_id), analyzed(journal.run_id))
        assert found == [analyzed(journal.run_id)]
        assert [step for step, _ in journal.steps()] == ["analyzer/1"]


async def test_what_the_journal_has_is_never_asked_for_again(settings: Settings) -> None:
    async with leading(settings) as (process, journal):
        run_id = journal.run_id
        await process.journal.write(place(run_id), analyzed(run_id))
        async with journal_of(process, run_id) as later:
            assert await later.ask(ask_of(run_id), deadline_s=30) == analyzed(run_id)
            assert later.get("analyzer/1") == analyzed(run_id)
        assert await num_tasks(process) == 0


async def test_a_step_that_is_late_has_failed_and_a_later_result_changes_nothing(
    settings: Settings,
) -> None:
    async with leading(settings) as (process, journal):
        run_id = journal.run_id
        failed = await journal.ask(ask_of(run_id), deadline_s=0.2)
        assert isinstance(failed, StepFailed)
        assert (failed.error.code, failed.actor) == ("deadline_exceeded", ActorKind.ANALYZER)
        late = await process.journal.write(place(run_id), analyzed(run_id))
        assert (late.mine, late.event) == (False, failed)
        async with journal_of(process, run_id) as again:
            assert await again.ask(ask_of(run_id), deadline_s=30) == failed


async def test_a_result_that_came_just_before_the_deadline_stands(settings: Settings) -> None:
    """Nobody hears of it, so the deadline passes; then it is found in its place."""
    async with open_process(settings, "test", ("nothing.at.all",)) as process:
        async with journal_of(process, new_run_id()) as journal:
            await process.journal.write(place(journal.run_id), analyzed(journal.run_id))
            found = await journal.ask(ask_of(journal.run_id), deadline_s=0.5)
            assert found == analyzed(journal.run_id)


async def test_a_result_nobody_tells_of_is_found_in_the_journal(settings: Settings) -> None:
    async with open_process(settings, "test", ("nothing.at.all",)) as process:
        async with journal_of(process, new_run_id()) as journal:
            await process.journal.write(place(journal.run_id), analyzed(journal.run_id))
            with anyio.fail_after(20):
                found = await journal.ask(ask_of(journal.run_id), deadline_s=60)
            assert found == analyzed(journal.run_id)


async def test_a_task_that_the_server_forgot_is_asked_for_again(
    settings: Settings, nats_server: NatsServer
) -> None:
    async with leading(settings) as (process, journal):
        asked: list[AnalyzePrompt] = []
        found: list[StepEvent] = []

        async def work(delivery: Delivery) -> None:
            asked.append(decode(AnalyzePrompt, delivery.subject, delivery.data))
            await process.journal.write(place(journal.run_id), analyzed(journal.run_id))

        async def ask() -> None:
            found.append(await journal.ask(ask_of(journal.run_id), deadline_s=60))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            with anyio.fail_after(20):
                while not await num_tasks(process):
                    await anyio.sleep(0.01)
            nats_server.kill()
            await anyio.to_thread.run_sync(nats_server.start)
            await until(lambda: process.connection.is_connected)
            worker = PullWorker(
                process.connection, task_consumer(ActorKind.ANALYZER), work, max_in_flight=1
            )
            tasks.start_soon(worker.run)
            await until(lambda: bool(found), timeout_s=40)
            worker.stop()
        assert found == [analyzed(journal.run_id)]
        # The first asking may have been on its way again when the server came back.
        assert {task.ask for task in asked} <= {1, 2}


async def num_tasks_after(settings: Settings, befall: Callable[[Process], Awaitable[None]]) -> int:
    """How many tasks lie there some silences after ``befall``, while a step is waited for."""
    num_found = -1
    async with leading(settings) as (process, journal), anyio.create_task_group() as tasks:
        tasks.start_soon(partial(journal.ask, ask_of(journal.run_id), deadline_s=60))
        with anyio.fail_after(20):
            while not await num_tasks(process):
                await anyio.sleep(0.01)
        await befall(process)
        await anyio.sleep(2.0)
        num_found = await num_tasks(process)
        tasks.cancel_scope.cancel()
    return num_found


async def test_a_task_that_vanished_is_asked_for_again(settings: Settings) -> None:
    async def purge(process: Process) -> None:
        await anyio.sleep(0.6)
        await process.connection.jetstream.purge_stream("TASKS")

    assert await num_tasks_after(settings, purge) == 1


async def test_a_task_that_outlives_a_reconnect_is_not_doubled(
    settings: Settings, nats_server: NatsServer
) -> None:
    async with wire_to(nats_server.address) as (address, wire):

        async def cut(process: Process) -> None:
            wire.cut()
            await until(lambda: not process.connection.is_connected)
            await until(lambda: process.connection.is_connected)

        assert await num_tasks_after(settings.with_address(address), cut) == 1


async def test_who_takes_a_run_over_asks_for_no_second_copy_and_has_actors_look_first(
    settings: Settings,
) -> None:
    async with leading(settings) as (process, first):
        async with journal_of(process, first.run_id, taken_over=True) as second:
            for journal in (first, second):
                with anyio.move_on_after(0.5):
                    await journal.ask(ask_of(first.run_id), deadline_s=60)
            assert await num_tasks(process) == 1
            with anyio.move_on_after(0.5):
                await second.ask(ask_of(first.run_id, attempt=2), deadline_s=60)
        message = await process.connection.jetstream.get_last_msg("TASKS", "tasks.analyzer")
        assert message.data is not None
        assert AnalyzePrompt.model_validate_json(message.data).ask == 2


async def test_who_asks_hears_of_a_cancellation(settings: Settings) -> None:
    async with leading(settings) as (process, journal):
        subject = subjects.run_event(journal.run_id, subjects.CANCEL)
        await process.journal.write(subject, CancelRequested(run_id=journal.run_id))
        with anyio.fail_after(20):
            await journal.cancelled.wait()
        async with journal_of(process, journal.run_id) as later:
            assert later.cancelled.is_set()


async def test_asking_can_be_stopped(settings: Settings) -> None:
    async with leading(settings) as (process, journal):
        with anyio.move_on_after(0.2) as scope:
            await journal.ask(ask_of(journal.run_id), deadline_s=60)
        assert scope.cancelled_caught
        assert await process.journal.read(journal.run_id) == []


async def test_an_event_of_the_run_is_written_once_and_adopted(settings: Settings) -> None:
    async with leading(settings) as (process, journal):
        async with journal_of(process, journal.run_id) as rival:
            first = RunFailed(run_id=journal.run_id, error=ERROR, step="a")
            other = RunFailed(run_id=journal.run_id, error=ERROR, step="b")
            assert await journal.write(subjects.OUTCOME, first) == first
            assert await rival.write(subjects.OUTCOME, other) == first
            assert rival.outcome == journal.outcome == first


async def test_who_begins_a_run_second_has_its_journal(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        run_id = new_run_id()
        started = RunStarted(run_id=run_id, submitted=SubmitPrompt(prompt="hi"))
        later = RunStarted(run_id=run_id, submitted=SubmitPrompt(prompt="later"))
        async with journal_of(process, run_id, is_new=True) as first:
            assert first.get(subjects.STARTED) is None
            await first.begin(started)
            await process.journal.write(place(run_id), analyzed(run_id))
        async with journal_of(process, run_id, is_new=True) as second:
            await second.begin(later)
            assert second.get(subjects.STARTED) == started
            assert second.get("analyzer/1") == analyzed(run_id)
        async with journal_of(process, run_id) as third:
            await third.begin(later)
            assert third.get(subjects.STARTED) == started


async def test_a_new_run_that_was_cancelled_before_anybody_led_it_is_known_to_be(
    settings: Settings,
) -> None:
    async with open_process(settings, "test") as process:
        run_id = new_run_id()
        subject = subjects.run_event(run_id, subjects.CANCEL)
        await process.journal.write(subject, CancelRequested(run_id=run_id))
        async with journal_of(process, run_id, is_new=True) as journal:
            await journal.begin(RunStarted(run_id=run_id, submitted=SubmitPrompt(prompt="hi")))
            assert journal.cancelled.is_set()


async def test_a_cancellation_in_the_place_of_another_event_is_none(settings: Settings) -> None:
    async with leading(settings) as (process, journal):
        request = CancelRequested(run_id=journal.run_id)
        await process.publisher.publish(place(journal.run_id), request)
        await journal.refresh()
        assert not journal.cancelled.is_set()
        assert journal.get("analyzer/1") is None


async def test_a_run_whose_journal_cannot_be_read_is_not_led(
    settings: Settings, nats_server: NatsServer
) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.jetstream.delete_stream("RUNS")
        journal = journal_of(process, new_run_id())
        with pytest.raises(BusUnavailable):
            await journal.__aenter__()
        assert not len(process.stored._by_run)


def test_a_task_waits_in_the_queue_of_its_actor_or_model() -> None:
    run_id = new_run_id()
    assert task_subject(ask_of(run_id)) == "tasks.analyzer"
    task = GenerateAnswer(run_id=run_id, model="a/b", prompt="p", priority=Priority.BATCH)
    assert task_subject(task) == "tasks.executor.a=2Fb.batch"
