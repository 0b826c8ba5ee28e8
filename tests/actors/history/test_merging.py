"""Any order, any duplication, any batches: the same rows."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from actors.history import Projection, RunRow, sqlite_url
from actors.history.run_change import changes_of
from contracts.event import Event, OutputValidated, PromptAnalyzed
from contracts.journal_entry import JournalEntry
from contracts.prompt import TaskType
from tests.actors.history.conftest import Cluster
from tests.actors.history.journals import answered, entry, failed, run_id, started, whole_run

MAX_RUNS = 4


@st.composite
def journals(draw: st.DrawFn) -> list[JournalEntry]:
    """Entries of a few runs in stream order, with doubled and missing steps."""
    number = st.integers(1, MAX_RUNS)
    events: st.SearchStrategy[Event] = st.one_of(
        st.builds(started, number, st.text("ab", min_size=1, max_size=3), st.sampled_from("st")),
        number.map(
            lambda n: PromptAnalyzed(run_id=run_id(n), task_type=TaskType.MATH, language="es")
        ),
        st.builds(
            lambda n, score: OutputValidated(run_id=run_id(n), score=score, verdict="retry"),
            number,
            st.integers(0, 100),
        ),
        st.builds(answered, number, st.text(max_size=4)),
        number.map(failed),
        number.flatmap(lambda n: st.sampled_from(whole_run(n))),
    )
    found = draw(st.lists(events, max_size=25))
    return [entry(event, sequence) for sequence, event in enumerate(found, start=1)]


def scattered(entries: Sequence[JournalEntry], seed: int) -> list[list[JournalEntry]]:
    """All entries, some twice, in any order, in batches of any size."""
    chance = random.Random(seed)
    mixed = [*entries, *chance.choices(entries, k=chance.randrange(4))] if entries else []
    chance.shuffle(mixed)
    batches: list[list[JournalEntry]] = []
    while mixed:
        size = chance.randrange(1, 8)
        batches.append(mixed[:size])
        mixed = mixed[size:]
    return batches


async def rows_after(url: URL, batches: Sequence[Sequence[JournalEntry]]) -> list[RunRow | None]:
    async with Projection.open(url) as projection:
        await projection.rebuild(_nothing())
        for batch in batches:
            await projection.apply(batch)
        assert await projection.position() == max(
            (found.sequence for batch in batches for found in batch), default=0
        )
        return [await projection.get(run_id(number)) for number in range(1, MAX_RUNS + 1)]


async def _nothing() -> AsyncIterator[JournalEntry]:
    nothing: tuple[JournalEntry, ...] = ()
    for found in nothing:
        yield found


@given(entries=journals(), seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sqlite_rows_do_not_depend_on_how_entries_arrive(
    entries: list[JournalEntry], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = sqlite_url(Path(folder) / "history.db")
        in_order = asyncio.run(rows_after(url, [[found] for found in entries]))
        assert asyncio.run(rows_after(url, scattered(entries, seed))) == in_order


@given(entries=journals(), seed=st.integers(0, 2**32))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_postgresql_rows_do_not_depend_on_how_entries_arrive(
    postgres: Cluster, entries: list[JournalEntry], seed: int
) -> None:
    in_order = asyncio.run(rows_after(postgres.url, [[found] for found in entries]))
    assert asyncio.run(rows_after(postgres.url, scattered(entries, seed))) == in_order


@given(entries=journals())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_batch_has_one_row_for_each_run_in_a_fixed_order(entries: list[JournalEntry]) -> None:
    ids = [change["run_id"] for change in changes_of(entries)]
    assert ids == sorted({found.subject.run_id for found in entries})
