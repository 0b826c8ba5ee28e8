"""Journals: each event is written once, whoever else tries, and read by everybody alike."""

import random
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import anyio
import pytest

from bus.connection import Connection
from bus.journal import Journal, Written
from bus.publisher import Published, Publisher
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable, InvalidInput, MalformedMessage
from contracts.event import CancelRequested, HistoryRecalled, PromptAnalyzed, RunFailed
from contracts.message import Message
from contracts.prompt import TaskType
from contracts.run_id import new_run_id
from promptbus.nats_server import NatsServer
from promptbus.process import open_process
from promptbus.settings import Settings
from tests.contracts.journals import ERROR

NUM_WRITERS = 8
NUM_SUBJECTS = 50


def analyzed(run_id: str, attempt: int = 1, language: str = "en") -> PromptAnalyzed:
    """An event that tells who wrote it by its language."""
    return PromptAnalyzed(
        run_id=run_id, attempt=attempt, task_type=TaskType.CHAT, language=language
    )


def place(run_id: str, attempt: int = 1) -> str:
    """Where it is written."""
    return subjects.step_event(run_id, ActorKind.ANALYZER, attempt)


async def test_of_many_writers_one_is_first_and_all_adopt_what_it_wrote(
    settings: Settings, nats_server: NatsServer
) -> None:
    run_id = new_run_id()
    found: dict[int, list[Written]] = {attempt: [] for attempt in range(1, NUM_SUBJECTS + 1)}

    async def write(journal: Journal, number: int) -> None:
        attempts = list(found)
        random.Random(number).shuffle(attempts)
        for attempt in attempts:
            event = analyzed(run_id, attempt, f"writer-{number}")
            found[attempt].append(await journal.write(place(run_id, attempt), event))

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_process(settings, "test"))
        journals = []
        for name in "abcd":
            connection = await stack.enter_async_context(Connection(nats_server.address, name))
            journals.append(Journal(connection, Publisher(connection, name)))
        async with anyio.create_task_group() as tasks:
            for number in range(NUM_WRITERS):
                tasks.start_soon(write, journals[number % len(journals)], number)
        stored = await journals[0].read(run_id)

    by_attempt = {entry.subject.attempt: entry for entry in stored}
    assert len(stored) == len(by_attempt) == NUM_SUBJECTS
    for attempt, results in found.items():
        assert len(results) == NUM_WRITERS
        assert [written.mine for written in results].count(True) == 1
        assert {written.sequence for written in results} == {by_attempt[attempt].sequence}
        assert all(written.event == by_attempt[attempt].event for written in results)


async def test_a_journal_is_read_in_the_order_of_writing(settings: Settings) -> None:
    run_id, other = new_run_id(), new_run_id()
    async with open_process(settings, "test") as process:
        for attempt in (3, 1, 2):
            await process.journal.write(place(run_id, attempt), analyzed(run_id, attempt))
            await process.journal.write(place(other, attempt), analyzed(other, attempt))
        entries = await process.journal.read(run_id)
        assert [entry.subject.attempt for entry in entries] == [3, 1, 2]
        assert [entry.sequence for entry in entries] == [1, 3, 5]
        assert {entry.writer for entry in entries} == {process.source}
        assert entries[0].stored_at <= entries[1].stored_at <= entries[2].stored_at
        assert await process.journal.read(new_run_id()) == []


async def test_one_event_is_read_by_its_subject(settings: Settings) -> None:
    run_id = new_run_id()
    async with open_process(settings, "test") as process:
        assert await process.journal.read_one(place(run_id)) is None
        written = await process.journal.write(place(run_id), analyzed(run_id, language="ü 模"))
        entry = await process.journal.read_one(place(run_id))
        assert entry is not None
        assert entry == (await process.journal.read(run_id))[0]
        assert (entry.event, entry.sequence) == (written.event, written.sequence)


async def test_a_journal_of_more_events_than_one_answer_holds_is_read_whole(
    settings: Settings,
) -> None:
    run_id = new_run_id()
    async with open_process(settings, "test") as process:
        async with anyio.create_task_group() as tasks:
            for attempt in range(1, 601):
                event = analyzed(run_id, attempt)
                tasks.start_soon(partial(process.journal.write, place(run_id, attempt), event))
        entries = await process.journal.read(run_id)
        assert {entry.subject.attempt for entry in entries} == set(range(1, 601))


FOREIGN: list[tuple[str, bytes, dict[str, str]]] = [
    ("nonsense", b"junk", {}),
    ("analyzer.1", b"junk", {}),
    ("analyzer.1", b"", {"ce-type": "promptbus.PromptAnalyzed"}),
    ("analyzer.1", b"{}", {"ce-type": "promptbus.PromptAnalyzed"}),
    ("analyzer.01", b"{}", {"ce-type": "promptbus.PromptAnalyzed"}),
    ("analyzer.1.more", b"{}", {"Status": "204"}),
    ("cancel", b"\xff\xfe", {"ce-type": "ünknown"}),
    ("outcome", b"{}", {"Status": "404 Nothing"}),
]


@pytest.mark.parametrize(("name", "payload", "headers"), FOREIGN)
async def test_a_foreign_message_in_a_journal_is_passed_over(
    settings: Settings, name: str, payload: bytes, headers: dict[str, str]
) -> None:
    run_id = new_run_id()
    async with open_process(settings, "test") as process:
        publish = process.connection.jetstream.publish
        await publish(f"runs.{run_id}.{name}", payload, headers=headers)
        await process.journal.write(place(run_id, 2), analyzed(run_id, 2))
        entries = await process.journal.read(run_id)
        assert [entry.subject.step for entry in entries] == ["analyzer/2"]


async def test_an_event_of_another_place_is_passed_over(settings: Settings) -> None:
    run_id = new_run_id()
    subject = subjects.run_event(run_id, subjects.CANCEL)
    async with open_process(settings, "test") as process:
        publish = process.publisher.publish
        await publish(subject, CancelRequested(run_id=new_run_id()))
        await publish(place(run_id, 1), CancelRequested(run_id=run_id))
        await publish(place(run_id, 2), analyzed(run_id, 1))
        await publish(place(run_id, 3), HistoryRecalled(run_id=run_id, attempt=3))
        assert await process.journal.read(run_id) == []


async def test_a_place_taken_by_something_foreign_is_told(settings: Settings) -> None:
    run_id = new_run_id()
    async with open_process(settings, "test") as process:
        await process.connection.jetstream.publish(place(run_id), b"junk", headers={"a": "b"})
        with pytest.raises(MalformedMessage):
            await process.journal.read_one(place(run_id))
        with pytest.raises(MalformedMessage):
            await process.journal.write(place(run_id), analyzed(run_id))


async def test_writing_outlasts_a_restart_and_finds_what_it_wrote(
    settings: Settings, nats_server: NatsServer
) -> None:
    run_id = new_run_id()
    async with open_process(settings, "test") as process:
        await process.journal.write(place(run_id, 1), analyzed(run_id, 1))
        nats_server.kill()
        async with anyio.create_task_group() as tasks:
            for attempt in (1, 2, 3):
                event = analyzed(run_id, attempt)
                tasks.start_soon(partial(process.journal.write, place(run_id, attempt), event))
            await anyio.sleep(0.2)
            await anyio.to_thread.run_sync(nats_server.start)
        entries = await process.journal.read(run_id)
        assert sorted(entry.subject.attempt for entry in entries) == [1, 2, 3]


class Doubling(Publisher):
    """Publishes everything twice, as a publisher does whose first acknowledgement is lost."""

    async def publish(self, subject: str, message: Message, **options: Any) -> Published:
        """Publish, and again under the same id."""
        await super().publish(subject, message, **options)
        return await super().publish(subject, message, **options)


async def test_a_write_whose_acknowledgement_was_lost_is_known_as_our_own(
    settings: Settings,
) -> None:
    run_id = new_run_id()
    async with open_process(settings, "test") as process:
        journal = Journal(process.connection, Doubling(process.connection, "doubling"))
        written = await journal.write(place(run_id), analyzed(run_id))
        assert written.mine
        assert len(await process.journal.read(run_id)) == 1


async def test_an_outcome_stands_against_a_later_one(settings: Settings) -> None:
    run_id = new_run_id()
    subject = subjects.run_event(run_id, subjects.OUTCOME)
    async with open_process(settings, "test") as process:
        first = RunFailed(run_id=run_id, error=ERROR)
        assert (await process.journal.write(subject, first)).mine
        later = await process.journal.write(subject, first.model_copy(update={"step": "x"}))
        assert (later.mine, later.event) == (False, first)


@pytest.mark.parametrize("run_id", ["", "*", ">", "x" * 32])
async def test_no_journal_is_read_under_a_foreign_id(settings: Settings, run_id: str) -> None:
    async with open_process(settings, "test") as process:
        with pytest.raises(InvalidInput):
            await process.journal.read(run_id)


async def test_a_bus_that_is_away_is_told(settings: Settings, nats_server: NatsServer) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.close()
        with pytest.raises(BusUnavailable):
            await process.journal.read_one(place(new_run_id()))
