"""The connection to SQLite or PostgreSQL, tuned for a projection."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import anyio
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from contracts.errors import NotReady, PromptbusError

# Several processes may write to one SQLite file; a batch takes milliseconds, a rebuild's too.
BUSY_TIMEOUT_S: Final = 10.0

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
# SQLite: readers go on while one writes, and a commit does not wait for the disk. In WAL mode
# NORMAL can lose the last commits in a power cut but never damages the file.
_SET_UP: Final = {
    "sqlite": ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL"),
    "postgresql": ("SET synchronous_commit TO off",),
}


class ProjectionFailed(PromptbusError):
    """The database of the projection did not do its work; it may later."""

    code: ClassVar[str] = "projection_failed"
    status: ClassVar[int] = 503
    retryable: ClassVar[bool] = True


def sqlite_url(path: Path) -> URL:
    """The URL of the SQLite file ``path``, whatever signs its name has."""
    return URL.create("sqlite+aiosqlite", database=str(path))


@asynccontextmanager
async def open_database(url: str | URL) -> AsyncIterator[AsyncEngine]:
    """An engine for ``url``, whose connections are closed at the end.

    ``sqlite:///path`` and ``postgresql://…`` get their asyncio drivers by themselves.

    Raises: NotReady when the URL is none of a database that is supported here, or names a file
    that cannot be used as one.
    """
    engine = _create(url)
    await asyncio.to_thread(_probe, engine.url)
    statements = _SET_UP[engine.dialect.name]

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    try:
        yield engine
    finally:
        # A cancelled close would leave the driver's thread and its connection behind.
        with anyio.CancelScope(shield=True):
            await engine.dispose()


def _create(url: str | URL) -> AsyncEngine:
    try:
        parsed = make_url(url)
        driver = _DRIVERS.get(parsed.drivername, parsed.drivername)
        if driver not in _DRIVERS.values():
            raise NotReady(
                f"no projection in {parsed.get_backend_name()}",
                cure="use sqlite:///path or postgresql://user@host/database",
            )
        timeout = {"timeout": BUSY_TIMEOUT_S} if driver.startswith("sqlite") else {}
        # Error texts go into logs and onto the bus; parameters hold prompts and answers.
        return create_async_engine(
            parsed.set(drivername=driver),
            connect_args=timeout,
            hide_parameters=True,
            pool_pre_ping=driver.startswith("postgresql"),
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as exc:
        raise NotReady(
            f"the history database cannot be opened: {type(exc).__name__}",
            cure="pip install 'promptbus[history]', or 'promptbus[postgres]' for PostgreSQL",
        ) from exc


def _probe(url: URL) -> None:
    """Find out at the start, and with a clear word, that a SQLite file cannot be written."""
    if url.get_backend_name() != "sqlite" or not url.database or url.query:
        return
    try:
        with closing(sqlite3.connect(url.database, timeout=BUSY_TIMEOUT_S)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except (sqlite3.Error, OSError, ValueError) as exc:
        raise NotReady(
            f"the history file cannot be used: {exc}",
            cure="give the path of a SQLite file in a folder that this user may write to",
        ) from exc


@contextmanager
def wrapped() -> Iterator[None]:
    """Turn what the database raises into ProjectionFailed, without statement and data."""
    try:
        yield
    except (SQLAlchemyError, OSError) as exc:
        cause = getattr(exc, "orig", None) or exc
        first_line = str(cause).strip().partition("\n")[0][:200]
        raise ProjectionFailed(f"history database: {first_line}") from exc
