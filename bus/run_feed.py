"""One run as this process knows it: its events, its text and why it waits, for all who follow it.

Followers hold nothing but a position, so a thousand of them cost one reading of the bus, and one
that is slow costs nothing and holds up nobody.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from bus.run_cursor import RunCursor
from bus.text_log import TextLog
from bus.token_stream import Token
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import AnswerGenerated, Outcome, RunAnswered, StepFailed
from contracts.generation import TextDelta
from contracts.journal_entry import JournalEntry
from contracts.waiting import WaitReport

# Without news for this long the journal is read: the republish is only a hint.
SILENCE_S = 3.0
# A note that follows text sooner than this was overtaken by it; later, the attempt began anew.
OVERTAKEN_S = 2.0

RunItem = JournalEntry | Token | WaitReport


@dataclass(frozen=True, slots=True)
class RunReaders:
    """How a feed reads what the bus has stored of its run."""

    journal: Callable[[str], Awaitable[list[JournalEntry]]]
    tokens: Callable[[str], Awaitable[list[Token]]]
    note: Callable[[str], Awaitable[WaitReport | None]]


@dataclass(slots=True)
class Position:
    """How far one follower is; ``sequence`` is that of the last event it was told."""

    sequence: int = 0
    attempt: int = 1
    offset: int = 0
    num_events: int = 0
    num_rewinds: int = 0
    num_notes: int = 0

    @property
    def cursor(self) -> RunCursor:
        """What to come back with."""
        return RunCursor(self.sequence, self.attempt, self.offset)


class RunFeed:
    """Everything of a run from its first event on, in the order in which followers are told.

    Events come in the order of the journal, the text of an attempt before the event it led to. A
    gap in what was heard, of events or of text, is filled by reading before anything goes on.
    """

    def __init__(self, run_id: str, readers: RunReaders) -> None:
        self.run_id = run_id
        self._readers = readers
        self._entries: list[JournalEntry] = []
        self._steps: set[str] = set()
        self._texts: dict[int, TextLog] = {}
        self._written_s: dict[int, float] = {}
        self._num_done = 0
        self._note: WaitReport | None = None
        self._num_notes = 0
        self._held: list[JournalEntry | Token] = []
        self._is_complete = False
        self._changed = anyio.Event()
        self._reading = anyio.Lock()
        self._news_s = time.monotonic()

    @property
    def journal(self) -> Sequence[JournalEntry]:
        """The events known so far."""
        return self._entries

    def hear(self, item: RunItem) -> None:
        """Take what was just published."""
        self._news_s = time.monotonic()
        if isinstance(item, WaitReport):
            self._take_note(item)
        elif not self._is_late(item):
            self._note = None
            if isinstance(item, Token):
                self._written_s[item.attempt] = self._news_s
            self._is_complete = self._is_complete and self._continues(item)
            if self._is_complete:
                self._take(item)
            else:
                self._held.append(item)
        self._wake()

    def hear_gap(self) -> None:
        """Something may have been missed: read before going on."""
        self._is_complete = False
        self._wake()

    async def load(self) -> None:
        """Read what is missing, once for all who ask at the same time.

        Raises: BusUnavailable.
        """
        async with self._reading:
            if not self._is_complete:
                await self._read()

    async def wait(self) -> None:
        """Return when there may be something new, having read what is missing.

        Raises: BusUnavailable.
        """
        if not self._is_complete:
            await self.load()
            return
        with anyio.move_on_after(self._news_s + SILENCE_S - time.monotonic()):
            await self._changed.wait()
            return
        async with self._reading:
            if time.monotonic() - self._news_s >= SILENCE_S:
                await self._read()

    def position(self, after: RunCursor) -> Position:
        """Where a follower goes on that has read as far as ``after``; the feed must be loaded."""
        position = Position()
        for entry in self._entries:
            if entry.sequence > after.sequence:
                break
            self._pass(entry, position)
        if after.attempt == position.attempt:
            position.offset = after.offset
        return position

    def take(self, position: Position) -> RunItem | None:
        """What comes next at ``position``, which moves on; None when there is nothing yet."""
        entry = self._next_entry(position)
        if entry is None or _ends_text(entry):
            token = self._next_text(position)
            if token is not None:
                return token
        if entry is not None:
            self._pass(entry, position)
            return entry
        note = self._note
        if note is None or position.num_notes == self._num_notes or self._is_over(note):
            return None
        position.num_notes = self._num_notes
        return note

    def has_more_than_text(self, position: Position) -> bool:
        """Whether an event is to be told at ``position``."""
        return position.num_events < len(self._entries)

    def is_last(self, item: RunItem, *, summary: bool) -> bool:
        """Whether nothing comes after ``item``; with ``summary``, an answer has one more."""
        if not isinstance(item, JournalEntry):
            return False
        if summary and isinstance(item.event, RunAnswered):
            return False
        if isinstance(item.event, Outcome) or item.subject.node == ActorKind.SUMMARIZER:
            return True
        # A generation without a run has no coordinator, and ends with its one answer.
        is_step = isinstance(item.event, AnswerGenerated | StepFailed)
        return is_step and subjects.STARTED not in self._steps

    def _next_entry(self, position: Position) -> JournalEntry | None:
        if self.has_more_than_text(position):
            return self._entries[position.num_events]
        return None

    def _next_text(self, position: Position) -> Token | None:
        log = self._texts.get(position.attempt)
        if log is None:
            return None
        offset = min((position.offset, *log.rewinds[position.num_rewinds :]))
        if position.attempt <= self._num_done:
            # Who comes back may have heard more than the attempt answered in the end.
            offset = min(offset, log.end)
        is_rewound = offset < position.offset
        position.num_rewinds = len(log.rewinds)
        text = log.read(max(offset, log.begin))
        if not text and not is_rewound:
            return None
        offset = max(offset, log.begin)
        position.offset = offset + len(text)
        return Token(position.attempt, TextDelta(offset=offset, text=text))

    def _pass(self, entry: JournalEntry, position: Position) -> None:
        position.num_events += 1
        position.sequence = max(position.sequence, entry.sequence)
        if entry.subject.node == ActorKind.EXECUTOR:
            position.attempt = entry.subject.attempt + 1
            position.offset = position.num_rewinds = 0

    def _is_late(self, item: JournalEntry | Token) -> bool:
        """Whether it is text of an attempt whose answer is known whole."""
        return isinstance(item, Token) and item.attempt <= self._num_done

    def _is_over(self, note: WaitReport) -> bool:
        return note.attempt <= self._num_done or subjects.OUTCOME in self._steps

    def _continues(self, item: JournalEntry | Token) -> bool:
        """Whether ``item`` follows what is known, with nothing missing between."""
        if isinstance(item, JournalEntry):
            return True
        log = self._texts.get(item.attempt)
        end = log.end if log is not None else 0
        return item.attempt == self._num_done + 1 and item.delta.offset <= end

    def _take(self, item: JournalEntry | Token) -> None:
        if isinstance(item, JournalEntry):
            self._take_entry(item)
        elif not self._is_late(item):
            log = self._texts.setdefault(item.attempt, TextLog())
            if not log.add(item.delta.offset, item.delta.text):
                # Read already, and not there: better a text without its middle than none.
                log.skip_to(item.delta.offset)
                log.add(item.delta.offset, item.delta.text)

    def _take_entry(self, entry: JournalEntry) -> None:
        if entry.subject.step in self._steps:
            return
        self._steps.add(entry.subject.step)
        self._entries.append(entry)
        if entry.subject.node == ActorKind.EXECUTOR:
            self._num_done = max(self._num_done, entry.subject.attempt)
            if isinstance(entry.event, AnswerGenerated):
                log = self._texts.setdefault(entry.subject.attempt, TextLog())
                log.settle(entry.event.result.output)

    def _take_note(self, note: WaitReport) -> None:
        since_s = time.monotonic() - self._written_s.get(note.attempt, float("-inf"))
        if since_s >= OVERTAKEN_S:
            self._note = note
            self._num_notes += 1

    async def _read(self) -> None:
        is_first, num_notes = not self._entries, self._num_notes
        entries = await self._readers.journal(self.run_id)
        is_over = any(isinstance(entry.event, Outcome) for entry in entries)
        tokens = [] if is_over else await self._readers.tokens(self.run_id)
        held, self._held = self._held, []
        entries += [item for item in held if isinstance(item, JournalEntry)]
        tokens += [item for item in held if isinstance(item, Token)]
        for token in tokens:
            self._take(token)
        for entry in sorted(entries, key=lambda entry: entry.sequence):
            self._take_entry(entry)
        self._is_complete = True
        self._news_s = time.monotonic()
        self._wake()
        if is_first and not is_over and not held:
            note = await self._readers.note(self.run_id)
            if note is not None and self._num_notes == num_notes:
                self._take_note(note)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _ends_text(entry: JournalEntry) -> bool:
    return entry.subject.node == ActorKind.EXECUTOR or isinstance(entry.event, Outcome)
