"""Feeds the history's projection from RUNS: by sequence, so that nothing is missed or doubled."""

import logging
from collections.abc import AsyncIterator

import anyio

from actors.history import Projection
from bus.connection import Connection
from bus.direct_get import DirectGet, StoredMessage
from bus.journal import entry_or_none
from bus.stored_events import StoredEvents
from bus.topology import RUNS
from contracts import subjects
from contracts.errors import PromptbusError
from contracts.journal_entry import JournalEntry

logger = logging.getLogger(__name__)

# Events of many runs are applied together: a transaction costs more than what is in it.
GATHER_S = 0.25
# Without a hint the stream is looked at this often.
LOOK_EVERY_S = 3.0
BATCH = 500


class HistoryFeed:
    """Keeps ``projection`` at the end of RUNS while :meth:`run` runs."""

    def __init__(
        self, connection: Connection, stored: StoredEvents, projection: Projection
    ) -> None:
        self._direct = DirectGet(connection, RUNS)
        self._stored = stored
        self._projection = projection
        self._hint = anyio.Event()
        self._lock = anyio.Lock()

    async def run(self) -> None:
        """Follow the stream until cancelled; a fault is logged and tried again."""
        forget = self._stored.on_any(self._on_stored)
        try:
            while True:
                await self._catch_up_or_warn()
                with anyio.move_on_after(LOOK_EVERY_S):
                    await self._hint.wait()
                    await anyio.sleep(GATHER_S)
                self._hint = anyio.Event()
        finally:
            forget()

    def _on_stored(self) -> None:
        self._hint.set()

    async def _catch_up_or_warn(self) -> None:
        try:
            await self.catch_up()
        except PromptbusError as exc:
            logger.warning("history is behind: %s", exc)

    async def catch_up(self, _session_id: str = "") -> None:
        """Apply everything that is stored by now.

        Raises: BusUnavailable, ProjectionFailed.
        """
        # A transaction is short, and cancelling a database driver within one is not safe.
        with anyio.CancelScope(shield=True):
            await self._catch_up()

    async def _catch_up(self) -> None:
        async with self._lock:
            position = await self._projection.position()
            while True:
                stored = await self._read(position)
                if not stored:
                    return
                position = stored[-1].sequence
                entries = [entry for entry in map(entry_or_none, stored) if entry is not None]
                await self._projection.apply(entries, through=position)

    async def rebuild(self) -> int:
        """Drop the projection and make it anew from RUNS; returns how many entries it took."""
        async with self._lock:
            return await self._projection.rebuild(self._all_entries())

    async def _all_entries(self) -> AsyncIterator[JournalEntry]:
        position = 0
        while stored := await self._read(position):
            position = stored[-1].sequence
            for message in stored:
                entry = entry_or_none(message)
                if entry is not None:
                    yield entry

    async def _read(self, position: int) -> list[StoredMessage]:
        return await self._direct.read(subjects.RUNS_ALL, from_sequence=position + 1, limit=BATCH)
