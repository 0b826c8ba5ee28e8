"""The journals as rows in SQL: SQLite on one machine, PostgreSQL where many share it.

The journals on the bus are the truth. The rows and the position up to which the stream was read
are committed in one transaction, so a database that forgets its last transactions in a power cut
has forgotten the position with them, and reading goes on from there. That is why commits need not
wait for the disk here (SQLite ``synchronous=NORMAL``, PostgreSQL ``synchronous_commit=off``).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, Self

from sqlalchemy import URL, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.history.database import open_database, wrapped
from actors.history.run_change import changes_of
from actors.history.run_list import in_session, list_statement, next_cursor, row_of, whole_run
from actors.history.schema import ensure_schema
from actors.history.tables import merge_statement, projection_position, runs
from actors.history.turns import TurnPair
from contracts.event import RunState
from contracts.journal_entry import JournalEntry
from contracts.prompt import TaskType
from contracts.run_row import RunRow

# Large enough that the commit is a small part, small enough that others get their turn to write.
_REBUILD_BATCH: Final = 500
# Deleting locks rows in another order than merging does; without this the two could wait for each
# other. Readers go on.
_STOP_WRITERS: Final = "LOCK TABLE runs IN EXCLUSIVE MODE"


class Projection:
    """Rows made from journal entries; open one with :meth:`open`.

    Any number of projections, in one process or many, may write to the same PostgreSQL database:
    merging is commutative and idempotent (see ``run_change``).

    Raises: ProjectionFailed (retryable) from every method when the database does not do its work.
    """

    def __init__(self, engine: AsyncEngine, epoch: int) -> None:
        self._engine = engine
        self._epoch = epoch
        self._merge = merge_statement(engine.dialect.name)
        self._writing = asyncio.Lock()
        self._rebuild = asyncio.Lock()
        self._is_complete = True

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str | URL) -> AsyncIterator[Self]:
        """The projection at ``url``, with its tables made where they are missing.

        Tables of another schema version are replaced by empty ones at position 0, so that reading
        from :meth:`position` on fills them again.

        What the stream no longer holds does not come back then.

        Raises: NotReady when the URL or file cannot be used; ProjectionFailed (retryable) when the
        server does not answer.
        """
        async with open_database(url) as engine:
            yield cls(engine, await ensure_schema(engine))

    async def apply(
        self, entries: Sequence[JournalEntry], *, advance: bool = True, through: int = 0
    ) -> None:
        """Merge ``entries``, in any order and any number of times, in one transaction.

        ``advance`` moves the position to the highest sequence among them. It is for entries read
        from the stream in order; pass False for those fetched out of turn, or what lies between
        would be skipped after a restart. ``through`` is how far the reader came, where what it
        read last were no entries.
        """
        changes = changes_of(entries)
        reached = max((change["last_sequence"] for change in changes), default=0)
        reached = max(reached, through) if advance else 0
        if not changes and not reached:
            return
        async with self._transaction() as connection:
            if changes:
                await connection.execute(self._merge, changes)
            if reached and self._is_complete:
                await self._advance(connection, reached)

    async def position(self) -> int:
        """The highest sequence read in order; reading goes on after it. 0 when nothing was."""
        async with self._reading() as connection:
            found = await connection.scalar(select(projection_position.c.position))
        return int(found or 0)

    async def rebuild(self, entries: AsyncIterator[JournalEntry]) -> int:
        """Empty the tables and fill them from ``entries``: the whole stream in order.

        Other calls go on meanwhile and see the rows there are so far. Only the replay moves the
        position, and after a failure nothing does until another rebuild succeeds or the
        projection is opened again; so after a crash reading goes on where the replay stopped.
        Runs that the stream no longer holds are gone. Returns the number of entries read.
        """
        async with self._rebuild:
            self._is_complete = False
            async with self._transaction() as connection:
                epoch = await self._empty(connection)
            self._epoch = epoch
            num_read = await self._replay(entries)
            self._is_complete = True
            return num_read

    async def list_runs(
        self,
        *,
        state: RunState | None = None,
        model: str | None = None,
        task_type: TaskType | None = None,
        session_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        query: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[RunRow], str | None]:
        """Runs that match, newest first, and the cursor of the next page or None.

        ``query`` is looked for in title and beginning of the prompt, whatever its case and
        accents; a run started from ``since`` on and before ``until``. Pages are cut by key, so runs
        that start meanwhile neither repeat nor hide any.

        Raises: InvalidInput for a limit out of range or a cursor that no page gave.
        """
        statement = list_statement(
            state=state,
            model=model,
            task_type=task_type,
            session_id=session_id,
            since=since,
            until=until,
            query=query,
            limit=limit,
            cursor=cursor,
        )
        async with self._reading() as connection:
            found = (await connection.execute(statement)).all()
        return [row_of(row) for row in found[:limit]], next_cursor(found, limit)

    async def get(self, run_id: str) -> RunRow | None:
        """The run with its whole prompt and output, or None."""
        async with self._reading() as connection:
            row = (await connection.execute(whole_run(run_id))).first()
        return None if row is None else row_of(row)

    async def turns_before(
        self, run_id: str, session_id: str, *, limit: int, before: int | None = None
    ) -> list[TurnPair]:
        """Up to ``limit`` answered runs of the session, newest first, started before ``run_id``.

        ``before`` goes on below the sequence of the last pair of an earlier call. A run that is
        not known here yet counts as the newest of all.
        """
        current = select(runs.c.first_sequence).where(runs.c.run_id == run_id).scalar_subquery()
        statement = (
            select(runs.c.prompt, runs.c.output, runs.c.first_sequence)
            .where(
                in_session(session_id),
                runs.c.state == "answered",
                runs.c.started_sequence > 0,
                runs.c.run_id != run_id,
                runs.c.first_sequence < func.coalesce(current, runs.c.first_sequence + 1),
            )
            .order_by(runs.c.first_sequence.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(runs.c.first_sequence < before)
        async with self._reading() as connection:
            found = (await connection.execute(statement)).all()
        return [TurnPair(row.prompt, row.output or "", row.first_sequence) for row in found]

    async def count_turns_before(self, session_id: str, sequence: int) -> int:
        """Answered runs of the session that started before ``sequence``."""
        statement = (
            select(func.count())
            .select_from(runs)
            .where(
                in_session(session_id),
                runs.c.state == "answered",
                runs.c.first_sequence < sequence,
            )
        )
        async with self._reading() as connection:
            return int(await connection.scalar(statement) or 0)

    async def _replay(self, entries: AsyncIterator[JournalEntry]) -> int:
        num_read = 0
        batch: list[JournalEntry] = []
        async for entry in entries:
            batch.append(entry)
            if len(batch) == _REBUILD_BATCH:
                num_read += await self._replay_batch(batch)
                batch = []
        return num_read + await self._replay_batch(batch)

    async def _replay_batch(self, batch: list[JournalEntry]) -> int:
        if batch:
            async with self._transaction() as connection:
                changes = changes_of(batch)
                await connection.execute(self._merge, changes)
                await self._advance(connection, batch[-1].sequence)
        return len(batch)

    async def _empty(self, connection: AsyncConnection) -> int:
        """Forget all rows and disown the positions that readers of the old ones would set.

        Returns the new epoch.
        """
        statement = (
            update(projection_position)
            .values(epoch=projection_position.c.epoch + 1, position=0)
            .returning(projection_position.c.epoch)
        )
        if self._engine.dialect.name == "postgresql":
            await connection.exec_driver_sql(_STOP_WRITERS)
        await connection.execute(delete(runs))
        return int((await connection.execute(statement)).scalar_one())

    async def _advance(self, connection: AsyncConnection, sequence: int) -> None:
        await connection.execute(
            update(projection_position)
            .where(
                projection_position.c.epoch == self._epoch,
                projection_position.c.position < sequence,
            )
            .values(position=sequence)
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        # One writer at a time: SQLite has a single write lock, and waiting here costs no thread.
        async with self._writing:
            with wrapped():
                async with self._engine.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with wrapped():
            async with self._engine.connect() as connection:
                yield connection
