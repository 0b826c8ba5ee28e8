"""Makes the tables, or replaces those of another version."""

import logging
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.history.database import wrapped
from actors.history.tables import METADATA, SCHEMA_VERSION, projection_position, runs

logger = logging.getLogger(__name__)

# Any number will do, as long as all versions use the same one.
_ADVISORY_LOCK: Final = 0x70726F6D70747573
_LOCK: Final = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})",
}


async def ensure_schema(engine: AsyncEngine) -> int:
    """Make what is missing, in one transaction that only one process runs at a time.

    Tables of another version are dropped and made anew, with the position back at 0.
    Returns the epoch: the number of times that the rows were begun anew.
    """
    with wrapped():
        async with engine.begin() as connection:
            await connection.exec_driver_sql(_LOCK[engine.dialect.name])
            await connection.run_sync(METADATA.create_all)
            return await _epoch(connection)


async def _epoch(connection: AsyncConnection) -> int:
    table = projection_position
    found = (await connection.execute(select(table.c.epoch, table.c.schema_version))).first()
    if found is None:
        first = {"id": 1, "schema_version": SCHEMA_VERSION, "epoch": 1, "position": 0}
        await connection.execute(insert(table).values(first))
        return 1
    if found.schema_version == SCHEMA_VERSION:
        return int(found.epoch)
    logger.warning(
        "history tables have version %d, not %d: made anew, to be filled from the stream",
        found.schema_version,
        SCHEMA_VERSION,
    )
    epoch = int(found.epoch) + 1
    await connection.run_sync(runs.drop)
    await connection.run_sync(runs.create)
    values = {"schema_version": SCHEMA_VERSION, "epoch": epoch, "position": 0}
    await connection.execute(update(table).values(values))
    return epoch
