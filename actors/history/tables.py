"""Tables of the projection and the statement that merges rows into them."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Index, MetaData, Table, Text, case
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator

from actors.history.run_change import GROUPS

# Raise it with every change to `runs` or to what is written there.
SCHEMA_VERSION: Final = 1


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


METADATA: Final = MetaData()

runs: Final = Table(
    "runs",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("session_id", Text),
    Column("state", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("output", Text),
    Column("title", Text),
    Column("summary", Text),
    Column("task_type", Text),
    Column("language", Text),
    Column("selected_model", Text),
    Column("score", BigInteger),
    Column("total_tokens", BigInteger),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("folded_prompt", Text),
    Column("folded_title", Text),
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    *(Column(f"{group}_sequence", BigInteger, nullable=False) for group in GROUPS),
    Index("runs_by_start", "first_sequence"),
    Index("runs_by_state", "state", "first_sequence"),
    Index("runs_by_session", "session_id", "state", "first_sequence"),
)

# One row: how far the stream was read, in which form, and by which rebuild.
projection_position: Final = Table(
    "projection_position",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("schema_version", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
)


def merge_statement(dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Insert a row of :func:`changes_of`, or merge it into the one there is."""
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(runs)
    new = statement.excluded
    merged: dict[str, Any] = {}
    for group, columns in GROUPS.items():
        sequence = f"{group}_sequence"
        for column in (*columns, sequence):
            newer = new[sequence] > runs.c[sequence]
            merged[column] = case((newer, new[column]), else_=runs.c[column])
    for column, wins in (
        ("first_sequence", new.first_sequence < runs.c.first_sequence),
        ("last_sequence", new.last_sequence > runs.c.last_sequence),
    ):
        merged[column] = case((wins, new[column]), else_=runs.c[column])
    result: sqlite.Insert | postgresql.Insert = statement.on_conflict_do_update(
        index_elements=[runs.c.run_id], set_=merged
    )
    return result
