"""A bus small enough to be held in the head: one run's journal, its tasks, and news of it.

It stands in for the server in tests by properties: every message may be lost, doubled or late, and
a process may end before or after any of its writes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bus.journal import Written
from bus.publisher import Published
from contracts import subjects
from contracts.event import Event
from contracts.journal_entry import JournalEntry
from contracts.message import Message
from contracts.run_stage import RunStage, stage_of
from contracts.task import Task

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
Listener = Callable[[JournalEntry], None]


@dataclass
class SmallBus:
    """All that processes share. First writer wins, as the server's compare-and-set has it."""

    run_id: str
    journal: dict[str, JournalEntry] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    news: list[JournalEntry] = field(default_factory=list)
    message_ids: set[str] = field(default_factory=set)
    processes: list["Process"] = field(default_factory=list)
    num_refused: int = 0

    def store(self, subject: str, event: Event) -> tuple[JournalEntry, bool]:
        """Store ``event`` unless the subject is taken; what stands there, and whether it is it."""
        place = subjects.parse_run(subject)
        standing = self.journal.get(place.step)
        if standing is not None:
            self.num_refused += 1
            return standing, False
        sequence = len(self.journal) + 1
        entry = JournalEntry(
            place, event, sequence, BEGIN + timedelta(milliseconds=sequence), "model", str(sequence)
        )
        self.journal[place.step] = entry
        self.news.append(entry)
        return entry, True

    def tell(self, entry: JournalEntry) -> None:
        """Republish ``entry`` to everybody who lives."""
        for process in self.processes:
            for listener in tuple(process.listeners):
                listener(entry)


@dataclass
class Process:
    """One process on the bus: what RunJournal uses of connection, journal, publisher and stored."""

    bus: SmallBus
    listeners: list[Listener] = field(default_factory=list)
    callbacks: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def listen(self, listener: Listener, _run_id: str | None = None) -> Callable[[], None]:
        """Hear of stored events."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Hear of reconnects."""
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    async def read(self, _run_id: str) -> list[JournalEntry]:
        """The journal as it is between two turns of the loop."""
        await asyncio.sleep(0)
        found = list(self.bus.journal.values())
        await asyncio.sleep(0)
        return found

    async def write(self, subject: str, event: Event) -> Written:
        """Write, with a chance to end before it and before its answer."""
        await asyncio.sleep(0)
        entry, mine = self.bus.store(subject, event)
        await asyncio.sleep(0)
        return Written(entry.event, entry.sequence, mine)

    async def send(self, _subject: str, message: Message, *, message_id: str) -> None:
        """Put a task into its queue, unless its id was there before."""
        await asyncio.sleep(0)
        if message_id not in self.bus.message_ids and isinstance(message, Task):
            self.bus.message_ids.add(message_id)
            self.bus.tasks.append(message)

    async def publish(
        self, subject: str, message: Message, *, message_id: str, **_options: Any
    ) -> Published:
        """As :meth:`send`, and say where it lies."""
        await self.send(subject, message, message_id=message_id)
        return Published(1, duplicate=False)


class SmallStages:
    """Tells stages from steps alone."""

    async def read(self, _run_id: str, step: str | None, *, is_taken: bool) -> RunStage:
        """The stage of ``step``."""
        return stage_of(step, waits=not is_taken)


async def no_facts(models: Any) -> Mapping[str, Any]:
    """Nobody knows why anything waits."""
    raise TimeoutError(f"no facts of {models}")
