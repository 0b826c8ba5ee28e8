"""A bus small enough to be held in the head: one run's journal, its tasks, and news of it.

It stands in for the server in tests by properties: every message may be lost, doubled or late, and
a process may end before or after any of its writes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.js.errors import NotFoundError

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


class SmallLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still until a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self.now_s


@dataclass(frozen=True)
class Queued:
    """A task in the queue, by its place."""

    sequence: int
    task: Task


@dataclass
class SmallBus:
    """All that processes share. First writer wins, as the server's compare-and-set has it."""

    run_id: str
    journal: dict[str, JournalEntry] = field(default_factory=dict)
    tasks: list[Queued] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    news: list[JournalEntry] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    processes: list["Process"] = field(default_factory=list)

    def store(self, subject: str, event: Event) -> tuple[JournalEntry, bool]:
        """Store ``event`` unless the subject is taken; what stands there, and whether it is it."""
        place = subjects.parse_run(subject)
        standing = self.journal.get(place.step)
        if standing is not None:
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
        sequences = self.bus.sequences
        if message_id not in sequences and isinstance(message, Task):
            sequences[message_id] = len(sequences) + 1
            self.bus.tasks.append(Queued(sequences[message_id], message))

    async def publish(
        self, subject: str, message: Message, *, message_id: str, **_options: Any
    ) -> Published:
        """As :meth:`send`, and say where it lies."""
        await self.send(subject, message, message_id=message_id)
        return Published(self.bus.sequences[message_id], duplicate=False)

    @property
    def spans(self) -> "Process":
        """Where spans would go; none are sent here."""
        return self

    def watch(self, _journal: Any) -> Callable[[], None]:
        """Nobody looks at the spans."""
        return lambda: None

    @property
    def jetstream(self) -> "Process":
        """The queue of tasks, where RunJournal looks for one."""
        return self

    async def get_msg(self, _stream: str, seq: int) -> None:
        """Whether a task still waits or is worked on.

        Raises: NotFoundError.
        """
        await asyncio.sleep(0)
        if seq not in self.bus.taken and all(one.sequence != seq for one in self.bus.tasks):
            raise NotFoundError


class SmallStages:
    """Tells stages from steps alone."""

    async def read(self, _run_id: str, step: str | None, *, is_taken: bool) -> RunStage:
        """The stage of ``step``."""
        return stage_of(step, waits=not is_taken)


async def no_facts(models: Any) -> Mapping[str, Any]:
    """Nobody knows why anything waits."""
    raise TimeoutError(f"no facts of {models}")
