"""The history is a projection of RUNS: thrown away, it comes back as it was."""

from pathlib import Path

from actors.history import Projection, sqlite_url
from contracts.run_row import RunRow
from promptbus.history_feed import HistoryFeed
from promptbus.settings import Settings
from tests.actors.coordinator.team import Team, team


async def rows_of(found: Team, file: Path) -> list[RunRow]:
    """The rows of a projection in that file, caught up with the stream."""
    async with Projection.open(sqlite_url(file)) as projection:
        await HistoryFeed(found.process.connection, found.process.stored, projection).catch_up()
        rows, _ = await projection.list_runs()
        return rows


async def test_a_lost_history_is_made_anew_from_the_stream(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "history.db"
    async with team(settings) as found:
        run_ids = [await found.submit(f"Say: {n}", model="echo") for n in range(5)]
        for run_id in run_ids:
            await found.reached(run_id, "summarizer/1")
        before = await rows_of(found, file)
        assert {row.run_id for row in before} == set(run_ids)
        assert {row.state for row in before} == {"answered"}
        file.unlink()
        assert await rows_of(found, file) == before
        async with Projection.open(sqlite_url(file)) as projection:
            feed = HistoryFeed(found.process.connection, found.process.stored, projection)
            num_entries = await feed.rebuild()
            rows, _ = await projection.list_runs()
        assert rows == before
        assert num_entries == sum([len(await found.steps(run_id)) for run_id in run_ids])
