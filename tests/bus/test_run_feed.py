"""A feed under any luck of the wire: what is lost, late or doubled changes nothing in the end."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bus.run_cursor import RunCursor
from bus.run_feed import Position, RunFeed, RunItem, RunReaders
from bus.token_stream import Token
from contracts.actor_kind import ActorKind
from contracts.event import AnswerGenerated, Event, RunFailed, RunStarted
from contracts.generation import TextDelta
from contracts.journal_entry import JournalEntry
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from contracts.subjects import OUTCOME, STARTED, RunSubject
from contracts.waiting import WaitReport
from tests.contracts.journals import ERROR, result

RUN_ID = new_run_id()


class Stored:
    """What the bus has stored of the run so far."""

    def __init__(self) -> None:
        self.items: list[JournalEntry | Token] = []

    async def journal(self, _run_id: str) -> list[JournalEntry]:
        return [item for item in self.items if isinstance(item, JournalEntry)]

    async def tokens(self, _run_id: str) -> list[Token]:
        return [item for item in self.items if isinstance(item, Token)]

    async def note(self, _run_id: str) -> WaitReport | None:
        return None


class Follower:
    """Puts together what it is told."""

    def __init__(self) -> None:
        self.position: Position | None = None
        self.after = RunCursor()
        self.text = ""
        self.steps: list[str] = []

    def read(self, feed: RunFeed) -> None:
        """Take all there is at this moment."""
        if self.position is None:
            self.position = feed.position(self.after)
        while (item := feed.take(self.position)) is not None:
            self._take(item)

    def leave(self) -> None:
        """Come back later, with nothing but the cursor."""
        if self.position is not None:
            self.after = RunCursor.parse(str(self.position.cursor))
        self.position = None

    def _take(self, item: RunItem) -> None:
        if isinstance(item, JournalEntry):
            self.steps.append(item.subject.step)
        elif isinstance(item, Token):
            assert item.delta.offset <= len(self.text)
            self.text = self.text[: item.delta.offset] + item.delta.text


def story(pieces: Sequence[str]) -> list[JournalEntry | Token]:
    """A run whose one attempt says ``pieces``."""
    text = "".join(pieces)
    submitted = SubmitPrompt(prompt="A story?", run_id=RUN_ID)
    tokens: list[JournalEntry | Token] = []
    offset = 0
    for piece in pieces:
        tokens.append(Token(1, TextDelta(offset=offset, text=piece)))
        offset += len(piece)
    answered = AnswerGenerated(run_id=RUN_ID, result=result(text))
    return [
        _entry(3, STARTED, RunStarted(run_id=RUN_ID, submitted=submitted)),
        *tokens,
        _entry(7, ActorKind.EXECUTOR, answered, attempt=1),
        _entry(9, OUTCOME, RunFailed(run_id=RUN_ID, error=ERROR)),
    ]


def _entry(sequence: int, node: str, event: Event, attempt: int = 0) -> JournalEntry:
    now = datetime.now(UTC)
    return JournalEntry(RunSubject(RUN_ID, node, attempt), event, sequence, now, "", "")


# For each item how often it is heard, and whether the follower then reads, and leaves.
luck = st.tuples(st.sampled_from((1, 1, 1, 0, 2)), st.booleans(), st.sampled_from((0, 0, 1)))


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=8),
    st.lists(luck, min_size=12, max_size=12),
    st.integers(0, 11),
)
def test_everything_is_told_once_and_in_order(
    pieces: list[str], lucks: list[tuple[int, bool, int]], joined: int
) -> None:
    asyncio.run(_follow(story(pieces), lucks, joined, "".join(pieces)))


async def _follow(
    items: list[JournalEntry | Token],
    lucks: list[tuple[int, bool, int]],
    joined: int,
    text: str,
) -> None:
    stored = Stored()
    feed = RunFeed(RUN_ID, RunReaders(stored.journal, stored.tokens, stored.note))
    early, late = Follower(), Follower()
    for number, (item, (num_heard, reads, leaves)) in enumerate(zip(items, lucks, strict=False)):
        stored.items.append(item)
        for _ in range(num_heard):
            feed.hear(item)
        if num_heard == 0 and isinstance(item, JournalEntry):
            feed.hear_gap()  # as the process notices from the sequence of the next one
        for follower in (early, late)[: 2 if number >= joined else 1]:
            if reads:
                await feed.load()
                follower.read(feed)
            if leaves:
                follower.leave()
    feed.hear_gap()
    await feed.load()
    for follower in (early, late):
        follower.read(feed)
        assert follower.text == text
        assert follower.steps == ["started", "executor/1", "outcome"]
