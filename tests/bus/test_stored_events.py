"""Stored events reach those who listen, and nothing foreign disturbs them."""

from bus.connection import Connection
from bus.stored_events import StoredEvents
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import CancelRequested, RunFailed
from contracts.journal_entry import JournalEntry
from contracts.run_id import new_run_id
from promptbus.nats_server import NatsServer
from promptbus.process import ENDS, open_process
from promptbus.settings import Settings
from tests.bus.test_journal import analyzed, place
from tests.bus.tools import until, wire_to
from tests.contracts.journals import ERROR


async def test_an_event_reaches_the_listeners_of_its_run_and_of_all_runs(
    settings: Settings,
) -> None:
    run_id, other = new_run_id(), new_run_id()
    mine: list[JournalEntry] = []
    everything: list[JournalEntry] = []
    async with open_process(settings, "test") as process:
        forget = process.stored.listen(mine.append, run_id)
        process.stored.listen(everything.append)
        for each in (other, run_id):
            await process.journal.write(place(each), analyzed(each))
        await until(lambda: len(everything) == 2)
        assert mine == await process.journal.read(run_id)
        forget()
        await process.journal.write(place(run_id, 2), analyzed(run_id, 2))
        await until(lambda: len(everything) == 3)
        assert len(mine) == 1


async def test_hints_and_ends_are_told(settings: Settings) -> None:
    run_id = new_run_id()
    hints: list[str] = []
    ends: list[str] = []
    async with open_process(settings, "test") as process:
        no_more_hints = process.stored.on_any(lambda: hints.append("stored"))
        no_more_ends = process.stored.on_end(ends.append)
        await process.journal.write(place(run_id), analyzed(run_id))
        await process.journal.write(
            subjects.run_event(run_id, subjects.CANCEL), CancelRequested(run_id=run_id)
        )
        await process.journal.write(
            subjects.run_event(run_id, subjects.OUTCOME), RunFailed(run_id=run_id, error=ERROR)
        )
        await until(lambda: len(hints) == 3)
        assert ends == [run_id, run_id]
        no_more_hints()
        no_more_ends()
        heard: list[JournalEntry] = []
        process.stored.listen(heard.append)
        await process.journal.write(place(run_id, 2), analyzed(run_id, 2))
        await until(lambda: len(heard) == 1)
        assert len(hints) == 3


async def test_who_watches_only_ends_hears_only_ends(settings: Settings) -> None:
    run_id = new_run_id()
    heard: list[str] = []
    async with open_process(settings, "test", ENDS) as process:
        process.stored.listen(lambda entry: heard.append(entry.subject.step))
        await process.journal.write(place(run_id), analyzed(run_id))
        await process.journal.write(
            subjects.run_event(run_id, subjects.CANCEL), CancelRequested(run_id=run_id)
        )
        await until(lambda: bool(heard))
        assert heard == ["cancel"]


async def test_foreign_messages_disturb_nobody(settings: Settings) -> None:
    run_id = new_run_id()
    heard: list[JournalEntry] = []
    async with open_process(settings, "test") as process:
        process.stored.listen(heard.append)
        publish = process.connection.jetstream.publish
        for subject in ("runs.x", f"runs.{run_id}", f"runs.{run_id}.a.b.c.d", place(run_id)):
            await publish(subject, b"junk", headers={"ce-type": "junk", "Nats-Sequence": "junk"})
        await process.connection.client.publish(f"stored.runs.{run_id}.analyzer.1", b"forged")
        await process.journal.write(place(run_id, 2), analyzed(run_id, 2))
        await until(lambda: len(heard) == 1)
        assert heard[0].subject.attempt == 2
        assert [error.message for error in process.connection.errors] == []


async def test_listeners_that_stop_while_they_are_told_are_no_trouble(settings: Settings) -> None:
    run_id = new_run_id()
    told: list[str] = []
    async with open_process(settings, "test") as process:

        def once(_entry: JournalEntry) -> None:
            told.append("once")
            forget()

        forget = process.stored.listen(once, run_id)
        process.stored.listen(lambda _entry: told.append("always"), run_id)
        for attempt in (1, 2):
            subject = subjects.step_event(run_id, ActorKind.ANALYZER, attempt)
            await process.journal.write(subject, analyzed(run_id, attempt))
        await until(lambda: told.count("always") == 2)
        assert told.count("once") == 1


async def test_what_was_stored_while_the_wire_was_cut_is_told_before_what_came_after(
    settings: Settings, nats_server: NatsServer
) -> None:
    run_id = new_run_id()
    heard: list[JournalEntry] = []
    async with (
        open_process(settings, "test") as process,
        wire_to(nats_server.address) as (address, wire),
        Connection(address, "behind") as behind,
        StoredEvents(behind) as stored,
    ):
        stored.listen(heard.append)
        await behind.client.flush()
        await process.journal.write(place(run_id), analyzed(run_id))
        await until(lambda: len(heard) == 1)
        wire.cut()
        await until(lambda: not behind.is_connected)
        for attempt in range(2, 12):
            await process.journal.write(place(run_id, attempt), analyzed(run_id, attempt))
        await until(lambda: behind.is_connected)
        await process.journal.write(place(run_id, 12), analyzed(run_id, 12))
        await until(lambda: len(heard) == 12)
        assert heard == await process.journal.read(run_id)
