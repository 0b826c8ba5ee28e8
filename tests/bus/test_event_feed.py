"""The events of all runs: whoever follows them misses none and is told none twice."""

from contextlib import aclosing

import anyio
import pytest

from bus.event_feed import KEPT_EVENTS, PAGE_EVENTS, EventFeed
from contracts.journal_entry import JournalEntry
from contracts.run_id import new_run_id
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.test_journal import analyzed, place
from tests.bus.tools import until


async def write(process: Process, num_events: int) -> None:
    """Store so many events, many at a time."""
    limit = anyio.CapacityLimiter(64)

    async def one() -> None:
        async with limit:
            run_id = new_run_id()
            await process.journal.write(place(run_id), analyzed(run_id))

    async with anyio.create_task_group() as tasks:
        for _ in range(num_events):
            tasks.start_soon(one)


async def collect(
    feed: EventFeed, into: list[JournalEntry], after: int | None = None, pause_s: float = 0.0
) -> None:
    """Follow from ``after`` on, slowly where there is a pause after each page."""
    async with aclosing(feed.follow(after)) as pages:
        async for page in pages:
            into += page.entries
            await anyio.sleep(pause_s)


def sequences(entries: list[JournalEntry]) -> list[int]:
    """Their places in the stream."""
    return [entry.sequence for entry in entries]


async def test_quick_slow_and_late_followers_are_told_the_same(settings: Settings) -> None:
    num_events = 2 * KEPT_EVENTS + 3 * PAGE_EVENTS
    async with open_process(settings, "test") as process:
        feed = EventFeed(process.connection, process.stored)
        await write(process, 5)
        seen: list[list[JournalEntry]] = [[] for _ in range(4)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, feed, seen[0], 0)
            tasks.start_soon(collect, feed, seen[1], 0, 0.1)
            tasks.start_soon(collect, feed, seen[2], None)
            await anyio.sleep(0.1)
            await write(process, num_events)
            tasks.start_soon(collect, feed, seen[3], 0)
            wanted = [num_events + 5, num_events + 5, num_events, num_events + 5]
            await until(lambda: [len(entries) for entries in seen] == wanted)
            tasks.cancel_scope.cancel()
        whole = list(range(1, num_events + 6))
        assert sequences(seen[0]) == sequences(seen[1]) == sequences(seen[3]) == whole
        assert sequences(seen[2]) == whole[5:]
        assert process.stored._for_all == []


async def test_a_cursor_of_another_stream_means_from_now_on(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        feed = EventFeed(process.connection, process.stored)
        await write(process, 3)
        seen: list[JournalEntry] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, feed, seen, 1_000_000)
            await anyio.sleep(0.1)
            await write(process, 2)
            await until(lambda: len(seen) == 2)
            tasks.cancel_scope.cancel()


async def test_followers_that_hear_nothing_read_the_stream(settings: Settings) -> None:
    """The republish is only a hint: here nobody hears it."""
    async with open_process(settings, "test", ("nothing.at.all",)) as process:
        feed = EventFeed(process.connection, process.stored)
        seen: list[JournalEntry] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, feed, seen)
            await anyio.sleep(0.1)
            await write(process, 3)
            await until(lambda: len(seen) == 3)
            tasks.cancel_scope.cancel()


async def test_foreign_messages_are_passed_over(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        feed = EventFeed(process.connection, process.stored)
        for number in range(PAGE_EVENTS + 1):
            await process.connection.jetstream.publish(f"runs.junk{number}", b"junk")
        await write(process, 1)
        seen: list[JournalEntry] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, feed, seen, 0)
            await until(lambda: len(seen) == 1)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("after", [0, None])
async def test_following_goes_on_over_a_restart(
    settings: Settings, nats_server: NatsServer, after: int | None
) -> None:
    async with open_process(settings, "test") as process:
        feed = EventFeed(process.connection, process.stored)
        seen: list[JournalEntry] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, feed, seen, after)
            await anyio.sleep(0.1)
            await write(process, 2)
            await until(lambda: len(seen) == 2)
            nats_server.kill()
            await anyio.to_thread.run_sync(nats_server.start)
            await until(lambda: process.connection.is_connected)
            await write(process, 2)
            await until(lambda: len(seen) == 4)
            tasks.cancel_scope.cancel()
        assert sequences(seen) == [1, 2, 3, 4]
