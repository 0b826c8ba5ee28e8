"""What a follower of a run is told: its events, its text, and why it waits; each once."""

import time
from collections import defaultdict
from dataclasses import dataclass

import anyio

from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import Outcome, RunAnswered
from contracts.generation import TextDelta
from contracts.journal_entry import JournalEntry
from contracts.waiting import WaitReport

# A reader this far behind is cut off rather than fed from memory.
MAX_BEHIND = 20_000
# A note that follows text sooner than this was overtaken by it; later, the attempt began anew.
OVERTAKEN_S = 2.0


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text of one attempt."""

    attempt: int
    delta: TextDelta


RunItem = JournalEntry | Token | WaitReport


class RunInbox:
    """What arrives for one follower; a note is outdated as soon as anything comes after it."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[RunItem](MAX_BEHIND)
        self._newest: RunItem | None = None

    def push(self, item: RunItem) -> None:
        """Take one item; a reader too far behind sees the end, and may join from the start."""
        self._newest = item
        try:
            self._send.send_nowait(item)
        except (anyio.WouldBlock, anyio.ClosedResourceError):
            self._send.close()

    def catch_up(self, note: WaitReport | None) -> list[RunItem]:
        """The stored ``note``, unless something has arrived since."""
        if note is None or self._newest is not None:
            return []
        self._newest = note
        return [note]

    def is_outdated(self, item: RunItem) -> bool:
        """Whether it is a note that something came after."""
        return isinstance(item, WaitReport) and item is not self._newest

    async def receive(self) -> RunItem:
        """The next item. Raises: anyio.EndOfStream."""
        return await self._receive.receive()

    def close(self) -> None:
        """Take nothing more."""
        self._send.close()
        self._receive.close()


class RunProgress:
    """What of a run was handed out already."""

    def __init__(self) -> None:
        self._steps: set[str] = set()
        self._written: dict[int, int] = defaultdict(int)
        self._written_s: dict[int, float] = {}

    def is_new(self, item: RunItem) -> bool:
        """Whether the item continues what was handed out; remembers it if so."""
        if isinstance(item, WaitReport):
            return self._is_true(item)
        if isinstance(item, Token):
            self._written_s[item.attempt] = time.monotonic()
            if item.delta.offset < self._written[item.attempt]:
                return False
            self._written[item.attempt] = item.delta.offset + len(item.delta.text)
            return True
        if item.subject.step in self._steps:
            return False
        self._steps.add(item.subject.step)
        return True

    def _is_true(self, note: WaitReport) -> bool:
        """Whether the run may still wait for that, as far as it was handed out."""
        if f"{ActorKind.EXECUTOR}/{note.attempt}" in self._steps or subjects.OUTCOME in self._steps:
            return False
        since_s = time.monotonic() - self._written_s.get(note.attempt, float("-inf"))
        return since_s >= OVERTAKEN_S


def is_last(item: RunItem, *, summary: bool) -> bool:
    """Whether nothing comes after ``item``; with ``summary``, an answer has one more."""
    if not isinstance(item, JournalEntry):
        return False
    if summary and isinstance(item.event, RunAnswered):
        return False
    return isinstance(item.event, Outcome) or item.subject.node == ActorKind.SUMMARIZER
