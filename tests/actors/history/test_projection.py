"""The projection on real SQLite and real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine

from actors.history import Projection, ProjectionFailed, sqlite_url
from contracts.errors import NotReady
from contracts.event import CancelRequested, RunCancelled, RunSummarized
from contracts.generation import Usage
from contracts.journal_entry import JournalEntry
from tests.actors.history.journals import (
    NOON,
    answered,
    failed,
    result,
    run_id,
    started,
    stream,
    whole_run,
)


async def replay(entries: Sequence[JournalEntry]) -> AsyncIterator[JournalEntry]:
    for found in entries:
        yield found


async def test_a_whole_run_becomes_one_row(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(stream(whole_run(1, "Say hello", "Hello!", "s1")))
        row = await projection.get(run_id(1))
    assert row is not None
    assert row.model_dump(exclude={"started_at", "ended_at"}) == {
        "run_id": run_id(1),
        "session_id": "s1",
        "state": "answered",
        "prompt": "Say hello",
        "output": "Hello!",
        "title": "Title 1",
        "summary": "A greeting.",
        "task_type": "chat",
        "language": "en",
        "selected_model": "pocket",
        "score": 91,
        "total_tokens": 17,
        "last_sequence": 8,
    }
    assert row.started_at == NOON + timedelta(seconds=1)
    assert row.ended_at == NOON + timedelta(seconds=7)


async def test_every_state_a_run_can_be_in_is_told(database: URL) -> None:
    async with Projection.open(database) as projection:
        cancelled = [started(3), CancelRequested(run_id=run_id(3)), RunCancelled(run_id=run_id(3))]
        journals = stream([started(1)], [started(2), failed(2)], cancelled, whole_run(4))
        await projection.apply(journals)
        states = [row.state for row in (await projection.list_runs())[0]]
        only_failed, _ = await projection.list_runs(state="failed")
    assert states == ["answered", "cancelled", "failed", "running"]
    assert [row.run_id for row in only_failed] == [run_id(2)]


async def test_an_entry_applied_twice_changes_nothing(database: URL) -> None:
    entries = stream(whole_run(1))
    async with Projection.open(database) as projection:
        await projection.apply(entries)
        before = await projection.get(run_id(1))
        await projection.apply(entries)
        await projection.apply(entries[:3])
        assert await projection.get(run_id(1)) == before
        assert await projection.position() == 8


async def test_a_late_older_entry_fills_gaps_but_overwrites_nothing(database: URL) -> None:
    entries = stream(whole_run(1, "Say hello"))
    async with Projection.open(database) as projection:
        await projection.apply(entries[4:])
        await projection.apply(entries[:4])
        row = await projection.get(run_id(1))
    assert row is not None
    assert (row.prompt, row.task_type, row.score, row.total_tokens) == ("Say hello", "chat", 91, 17)


async def test_the_position_is_kept_with_the_rows(database: URL) -> None:
    async with Projection.open(database) as projection:
        assert await projection.position() == 0
        await projection.apply(stream(whole_run(1)))
    async with Projection.open(database) as projection:
        assert await projection.position() == 8
        assert await projection.get(run_id(1)) is not None


async def test_entries_fetched_out_of_turn_do_not_move_the_position(database: URL) -> None:
    entries = stream(whole_run(1), whole_run(2))
    async with Projection.open(database) as projection:
        await projection.apply(entries[8:], advance=False)
        assert await projection.position() == 0
        assert await projection.get(run_id(2)) is not None
        await projection.apply(entries[:4])
        assert await projection.position() == 4


async def test_messages_that_are_no_entries_can_be_passed(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply([], through=7)
        assert await projection.position() == 7
        await projection.apply(stream(whole_run(1), first_sequence=8), through=20)
        assert await projection.position() == 20
        await projection.apply([], through=30, advance=False)
        assert await projection.position() == 20


async def test_applying_nothing_does_nothing(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply([])
        assert await projection.position() == 0


async def test_text_that_no_database_stores_is_stored_without_it(database: URL) -> None:
    output = "nul \x00, half a pair \ud83d, '); DROP TABLE runs; -- %s :name ñ 😀"
    summary = RunSummarized(run_id=run_id(1), title="\x00", summary="%(x)s \x00")
    wide = result("x").model_copy(update={"usage": Usage(total_tokens=10**30)})
    outcome = answered(1, output).model_copy(update={"result": wide})
    async with Projection.open(database) as projection:
        await projection.apply(stream([started(1, "?"), outcome, summary]))
        row = await projection.get(run_id(1))
    assert row is not None
    assert row.output == output.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")
    assert (row.title, row.summary, row.total_tokens) == ("\ufffd", "%(x)s \ufffd", 2**63 - 1)


async def test_a_rebuild_gives_the_same_rows_again(database: URL) -> None:
    entries = stream(*(whole_run(number) for number in range(1, 200)))
    async with Projection.open(database) as projection:
        await projection.apply(entries)
        before = await projection.list_runs(limit=200)
        assert await projection.rebuild(replay(entries)) == len(entries)
        assert await projection.list_runs(limit=200) == before
        assert await projection.position() == len(entries)


async def test_a_rebuild_forgets_what_the_stream_no_longer_holds(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(stream(whole_run(1), whole_run(2)))
        await projection.rebuild(replay(stream(whole_run(2), first_sequence=9)))
        rows, _ = await projection.list_runs()
    assert [row.run_id for row in rows] == [run_id(2)]


async def test_a_rebuild_that_breaks_is_finished_by_the_next_start(database: URL) -> None:
    entries = stream(*(whole_run(number) for number in range(1, 200)))

    async def breaking() -> AsyncIterator[JournalEntry]:
        for found in entries[:700]:
            yield found
        raise ConnectionResetError

    async with Projection.open(database) as projection:
        await projection.apply(entries)
        expected = await projection.list_runs(limit=200)
        with pytest.raises(ConnectionResetError):
            await projection.rebuild(breaking())
        # What arrives meanwhile must not hide that the middle is missing.
        await projection.apply([entries[-1]])
        assert await projection.position() == 500
    async with Projection.open(database) as projection:
        await projection.apply(entries[await projection.position() :])
        assert await projection.list_runs(limit=200) == expected


async def test_live_entries_during_a_rebuild_are_neither_lost_nor_skipped(database: URL) -> None:
    entries = stream(*(whole_run(number) for number in range(1, 150)))
    live = stream(whole_run(500), first_sequence=len(entries) + 1)
    async with Projection.open(database) as projection:
        await projection.apply(entries)

        async def slowly() -> AsyncIterator[JournalEntry]:
            for index, found in enumerate(entries):
                if index == 600:
                    await projection.apply(live)
                    assert await projection.position() == 500
                yield found

        await projection.rebuild(slowly())
        assert await projection.position() == len(entries)
        row = await projection.get(run_id(500))
    assert row is not None
    assert row.state == "answered"


async def test_a_reader_from_before_a_rebuild_does_not_move_the_position(database: URL) -> None:
    entries = stream(whole_run(1), whole_run(2))
    async with Projection.open(database) as older, Projection.open(database) as newer:
        await newer.rebuild(replay(entries[:3]))
        await older.apply(entries[8:])
        assert await newer.position() == 3
        assert await newer.get(run_id(2)) is not None


async def test_a_rebuild_and_writers_do_not_wait_for_each_other(database: URL) -> None:
    entries = stream(*(whole_run(number) for number in range(1, 65)))

    async def write(projection: Projection) -> None:
        for start in range(0, len(entries), 16):
            await projection.apply(entries[start : start + 16])

    async with Projection.open(database) as one, Projection.open(database) as two:
        for _ in range(3):
            await asyncio.gather(write(two), one.rebuild(replay(entries)), write(two))
        rows, _ = await two.list_runs(limit=200)
        assert await one.position() == len(entries)
    assert [row.state for row in rows] == ["answered"] * 64


async def test_tables_of_another_version_are_made_anew(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(stream(whole_run(1)))
    await execute(database, "ALTER TABLE runs DROP COLUMN title")
    await execute(database, "UPDATE projection_position SET schema_version = 0")
    async with Projection.open(database) as projection:
        assert await projection.position() == 0
        assert await projection.list_runs() == ([], None)
        await projection.apply(stream(whole_run(1)))
        assert len((await projection.list_runs())[0]) == 1


async def test_many_may_open_an_empty_database_at_once(database: URL) -> None:
    async def open_and_apply(number: int) -> None:
        async with Projection.open(database) as projection:
            await projection.apply(stream(whole_run(number), first_sequence=number * 10))

    await asyncio.gather(*(open_and_apply(number) for number in range(1, 9)))
    async with Projection.open(database) as projection:
        assert len((await projection.list_runs())[0]) == 8
        assert await projection.position() == 87


async def test_writers_of_the_same_runs_do_not_block_each_other(database: URL) -> None:
    entries = stream(*(whole_run(number) for number in range(1, 65)))

    async def write(projection: Projection, step: int) -> None:
        for start in range(0, len(entries), step):
            await projection.apply(entries[start : start + step])

    async with Projection.open(database) as one, Projection.open(database) as two:
        reversed_two = [entries[start : start + 16] for start in range(0, len(entries), 16)][::-1]
        await asyncio.gather(
            write(one, 32), *(two.apply(batch) for batch in reversed_two), write(two, 64)
        )
        rows, _ = await one.list_runs(limit=200)
    assert {row.state for row in rows} == {"answered"}
    assert len(rows) == 64


async def test_a_fault_of_the_database_is_retryable_and_tells_no_text(database: URL) -> None:
    async with Projection.open(database) as projection:
        await execute(database, "DROP TABLE runs")
        with pytest.raises(ProjectionFailed) as caught:
            await projection.apply(stream(whole_run(1, "a secret prompt")))
    wire = caught.value.to_wire()
    assert wire.retryable
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.__cause__)


@pytest.mark.parametrize("url", ["mysql://x/y", "no url", "sqlserver://x"])
async def test_a_database_that_is_not_supported_is_named(url: str) -> None:
    with pytest.raises(NotReady):
        async with Projection.open(url):
            pass


async def test_a_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(NotReady, match="unable to open"):
        async with Projection.open("sqlite:////nowhere/at/all/history.db"):
            pass


async def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("important notes\n" * 100)
    with pytest.raises(NotReady, match="not a database"):
        async with Projection.open(sqlite_url(path)):
            pass
    assert path.read_text() == "important notes\n" * 100


async def test_a_server_that_is_not_there_may_come_later(tmp_path: Path) -> None:
    with pytest.raises(ProjectionFailed) as caught:
        async with Projection.open(f"postgresql://user:secret@/db?host={tmp_path}"):
            pass
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


async def test_plain_urls_get_their_drivers(database: URL) -> None:
    plain = database.set(drivername=database.get_backend_name())
    async with Projection.open(plain.render_as_string(hide_password=False)) as projection:
        assert await projection.position() == 0


async def execute(database: URL, statement: str) -> None:
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
    engine = create_async_engine(database.set(drivername=drivers[database.get_backend_name()]))
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def test_a_sqlite_url_takes_any_path() -> None:
    assert sqlite_url(Path("/a b/ñ?#%.db")).database == "/a b/ñ?#%.db"
