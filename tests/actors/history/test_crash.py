"""A process that is killed in the middle of a rebuild."""

import asyncio
import sys
from collections.abc import AsyncIterator

from sqlalchemy import URL

from actors.history import Projection
from contracts.journal_entry import JournalEntry
from tests.actors.history.journals import stream, whole_run

NUM_RUNS = 250
REBUILDER = """
import asyncio, sys
from actors.history import Projection
from tests.actors.history.test_crash import journals

async def slowly():
    for index, entry in enumerate(journals()):
        if index == 1200:
            sys.stdout.write("half done\\n")
            sys.stdout.flush()
            await asyncio.Event().wait()
        yield entry

async def main():
    async with Projection.open(sys.argv[1]) as projection:
        await projection.rebuild(slowly())

asyncio.run(main())
"""


def journals() -> list[JournalEntry]:
    return stream(*(whole_run(number) for number in range(1, NUM_RUNS + 1)))


async def reading(entries: list[JournalEntry]) -> AsyncIterator[JournalEntry]:
    for entry in entries:
        yield entry


async def test_a_killed_rebuild_is_finished_by_reading_on(database: URL) -> None:
    entries = journals()
    async with Projection.open(database) as projection:
        await projection.rebuild(reading(entries))
        expected = await projection.list_runs(limit=200)
    url = database.render_as_string(hide_password=False)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REBUILDER, url, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    line = await child.stdout.readline()
    child.kill()
    await child.wait()
    assert line == b"half done\n"
    async with Projection.open(database) as projection:
        position = await projection.position()
        assert position == 1000
        await projection.apply(entries[position:])
        assert await projection.list_runs(limit=200) == expected
