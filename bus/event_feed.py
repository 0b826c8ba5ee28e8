"""The events of all runs as this process hears them, for all who follow all of them.

Followers hold nothing but a sequence of RUNS. The newest events are shared; whoever is further
behind reads the stream at a pace of its own, so a slow one misses nothing and holds up nobody.
"""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.journal import entry_or_none
from bus.stored_events import StoredEvents
from bus.topology import RUNS
from contracts import subjects
from contracts.errors import BusUnavailable
from contracts.journal_entry import JournalEntry

# Each may hold a whole prompt or answer; who is further behind reads the stream.
KEPT_EVENTS = 512
PAGE_EVENTS = 128
# The republish is only a hint: without news the stream is looked at this often.
SILENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events in order; ``sequence`` is how far their reader has come with them."""

    entries: tuple[JournalEntry, ...]
    sequence: int


class EventFeed:
    """Listens to all events as long as anybody follows them."""

    def __init__(self, connection: Connection, stored: StoredEvents) -> None:
        self._stored = stored
        self._direct = DirectGet(connection, RUNS)
        self._connection = connection
        self._entries: list[JournalEntry] = []
        # All that is stored from this sequence on is in `_entries`; None: not known to be.
        self._whole_from: int | None = None
        self._newest = 0
        self._looking = anyio.Lock()
        self._looked_s = 0.0
        self._num_followers = 0
        self._forget: tuple[Callable[[], None], ...] = ()
        self._changed = anyio.Event()

    async def follow(
        self, after: int | None = None, *, every_s: float = 0.0
    ) -> AsyncGenerator[EventPage, None]:
        """Pages of the events after sequence ``after`` (None: from now on), then live, for ever.

        The first page is empty and tells where its reader begins. With ``every_s`` pages of new
        events come no more often than that.

        Raises: BusUnavailable.
        """
        with self._listening():
            newest = await self._last_sequence()
            # Nobody has read what is not written yet: that cursor is of another stream.
            sequence = newest if after is None else min(after, newest)
            yield EventPage((), sequence)
            while True:
                page = await self._read(sequence)
                if page.sequence == sequence:
                    await self._wait()
                    await anyio.sleep(every_s)
                    continue
                sequence = page.sequence
                if page.entries:
                    yield page

    async def _read(self, after: int) -> EventPage:
        if self._whole_from is not None and self._whole_from <= after + 1:
            begin = bisect_right(self._entries, after, key=lambda entry: entry.sequence)
            entries = tuple(self._entries[begin : begin + PAGE_EVENTS])
            return EventPage(entries, entries[-1].sequence if entries else after)
        stored = await self._direct.read(
            subjects.RUNS_ALL, from_sequence=after + 1, limit=PAGE_EVENTS
        )
        if stored:
            self._newest = max(self._newest, stored[-1].sequence)
            found = (entry_or_none(message) for message in stored)
            return EventPage(tuple(entry for entry in found if entry), stored[-1].sequence)
        # What lies between is gone from the stream, or is nobody's event.
        return EventPage((), max(after, (self._whole_from or 0) - 1))

    async def _wait(self) -> None:
        with anyio.move_on_after(SILENCE_S):
            await self._changed.wait()
            return
        async with self._looking:
            if anyio.current_time() - self._looked_s >= SILENCE_S:
                self._looked_s = anyio.current_time()
                unheard = self._newest + 1
                if await self._direct.read(subjects.RUNS_ALL, from_sequence=unheard, limit=1):
                    self._hear_gap()

    async def _last_sequence(self) -> int:
        try:
            info = await self._connection.jetstream.stream_info(RUNS)
        except (NatsError, TimeoutError) as exc:
            raise BusUnavailable(
                f"stream {RUNS} does not answer", cure="check NATS: promptbus doctor"
            ) from exc
        self._newest = max(self._newest, info.state.last_seq)
        if self._whole_from is None:
            self._whole_from = info.state.last_seq + 1
        return info.state.last_seq

    @contextmanager
    def _listening(self) -> Iterator[None]:
        if not self._num_followers:
            self._forget = (
                self._stored.listen(self._hear),
                self._stored.on_gap(self._hear_gap),
            )
        self._num_followers += 1
        try:
            yield
        finally:
            self._num_followers -= 1
            if not self._num_followers:
                for forget in self._forget:
                    forget()
                self._hear_gap()

    def _hear(self, entry: JournalEntry) -> None:
        if self._whole_from is None:
            self._whole_from = entry.sequence
        self._newest = entry.sequence
        self._entries.append(entry)
        if len(self._entries) > 2 * KEPT_EVENTS:
            del self._entries[:KEPT_EVENTS]
            self._whole_from = self._entries[0].sequence
        self._wake()

    def _hear_gap(self) -> None:
        """What is here may not be all there is: followers read the stream until news come."""
        self._entries, self._whole_from = [], None
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
