"""Lists of runs, and single ones, on both databases."""

import pytest
from sqlalchemy import URL

from actors.history import Projection
from contracts.errors import InvalidInput
from tests.actors.history.journals import entry, run_id, started, stream, whole_run


async def test_runs_are_listed_newest_first_page_by_page(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(stream(*([started(number)] for number in range(1, 24))))
        seen: list[str] = []
        cursor = None
        while True:
            rows, cursor = await projection.list_runs(limit=5, cursor=cursor)
            seen += [row.run_id for row in rows]
            if cursor is None:
                break
            newer = [entry(started(1000 + len(seen)), 1000 + len(seen))]
            await projection.apply(newer)
    assert seen == [run_id(number) for number in range(23, 0, -1)]


async def test_lists_are_cut_by_session_and_words(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(
            stream(
                whole_run(1, "¿Cuál es la capital de PERÚ?", session_id="a"),
                whole_run(2, "100% of_what", session_id="b"),
                whole_run(3, "1000 of what", session_id="a"),
            )
        )
        found = {}
        for query in ("capital peru", "Perú capital", "100%", "of_w", "TITLE 2", "nothing", "  "):
            rows, _ = await projection.list_runs(query=query)
            found[query] = [int(row.run_id, 16) for row in rows]
        session, _ = await projection.list_runs(session_id="a")
        nobody, _ = await projection.list_runs(session_id="a\x00")
    assert found == {
        "capital peru": [1],
        "Perú capital": [1],
        "100%": [2],
        "of_w": [2],
        "TITLE 2": [2],
        "nothing": [],
        "  ": [3, 2, 1],
    }
    assert [int(row.run_id, 16) for row in session] == [3, 1]
    assert nobody == []


async def test_a_list_holds_beginnings_of_texts_and_a_run_the_whole(database: URL) -> None:
    long = "ñ" * 5000
    async with Projection.open(database) as projection:
        await projection.apply(stream(whole_run(1, long, long)))
        (listed,), _ = await projection.list_runs()
        whole = await projection.get(run_id(1))
    assert (listed.prompt, listed.output) == (long[:200], long[:200])
    assert whole is not None
    assert (whole.prompt, whole.output) == (long, long)


@pytest.mark.parametrize("limit", [0, -1, 201])
async def test_a_limit_out_of_range_is_refused(database: URL, limit: int) -> None:
    async with Projection.open(database) as projection:
        with pytest.raises(InvalidInput, match="limit"):
            await projection.list_runs(limit=limit)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1 OR 1=1", "9" * 19, "٣"])
async def test_a_cursor_that_no_page_gave_is_refused(database: URL, cursor: str) -> None:
    async with Projection.open(database) as projection:
        with pytest.raises(InvalidInput, match="cursor"):
            await projection.list_runs(cursor=cursor)


async def test_a_query_that_is_too_long_is_refused(database: URL) -> None:
    async with Projection.open(database) as projection:
        with pytest.raises(InvalidInput, match="query"):
            await projection.list_runs(query="x" * 201)


@pytest.mark.parametrize("unknown", [run_id(9), "", "' OR ''='", "\x00", "\ud800"])
async def test_a_run_that_is_not_there_is_none(database: URL, unknown: str) -> None:
    async with Projection.open(database) as projection:
        assert await projection.get(unknown) is None
