"""The runs that are followed in this process, each known once however many follow it."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import anyio

from bus.connection import Connection
from bus.journal import Journal
from bus.run_cursor import RunCursor
from bus.run_feed import Position, RunFeed, RunItem, RunReaders
from bus.stored_events import StoredEvents
from bus.text_log import MAX_PIECE_CHARS
from bus.token_stream import Token, TokenStreams
from bus.wait_stream import WaitStreams


@dataclass(slots=True)
class _Followed:
    feed: RunFeed
    forget: tuple[Callable[[], None], ...]
    num_followers: int = 0


class RunFeeds:
    """Opens feeds; ``async with`` opens the process's subscriptions to texts and notes.

    ``stored`` is its subscription to events, opened and closed by its owner.
    """

    def __init__(self, connection: Connection, journal: Journal, stored: StoredEvents) -> None:
        self._connection = connection
        self._stored = stored
        self.tokens = TokenStreams(connection)
        self.waits = WaitStreams(connection)
        self._readers = RunReaders(journal.read, self.tokens.earlier, self.waits.current)
        self._followed: dict[str, _Followed] = {}

    async def __aenter__(self) -> Self:
        await self.tokens.__aenter__()
        await self.waits.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.waits.__aexit__(exc_type, exc, traceback)
        await self.tokens.__aexit__(exc_type, exc, traceback)

    @contextmanager
    def open(self, run_id: str) -> Iterator[RunFeed]:
        """The feed of that run, shared with whoever follows it too."""
        followed = self._followed.get(run_id)
        if followed is None:
            followed = self._followed[run_id] = self._listen(run_id)
        followed.num_followers += 1
        try:
            yield followed.feed
        finally:
            followed.num_followers -= 1
            if not followed.num_followers:
                del self._followed[run_id]
                for forget in followed.forget:
                    forget()

    def _listen(self, run_id: str) -> _Followed:
        feed = RunFeed(run_id, self._readers)

        async def hear_reconnect() -> None:
            feed.hear_gap()

        forget = (
            self._stored.listen(feed.hear, run_id),
            self._stored.on_gap(feed.hear_gap),
            self.tokens.listen(run_id, feed.hear),
            self.waits.listen(run_id, feed.hear),
            self._connection.on_reconnect(hear_reconnect),
        )
        return _Followed(feed, forget)


class RunFollower:
    """Follows one run: everything from its first event and token on, then live, without double.

    A text that grows faster than it is taken comes in fewer and larger pieces. Of the notes why
    the run waits only those are told that nothing has come after yet. A piece of text whose
    ``offset`` is not the end of those before replaces them from there on: another executor began
    the attempt anew. With ``every_s`` pieces come no more often than that, unless an event follows.
    """

    def __init__(
        self,
        feed: RunFeed,
        after: RunCursor,
        *,
        summary: bool = False,
        every_s: float = 0.0,
    ) -> None:
        self._feed = feed
        self._after = after
        self._summary = summary
        self._every_s = every_s
        self._position = Position()
        self._due_s = 0.0

    @property
    def cursor(self) -> RunCursor:
        """What to come back with for what follows the last item."""
        return self._position.cursor

    async def items(self) -> AsyncGenerator[RunItem, None]:
        """What happens, until the outcome (with ``summary``: the summary of an answered run).

        Raises: BusUnavailable.
        """
        await self._feed.load()
        feed, position = self._feed, self._feed.position(self._after)
        self._position = position
        if any(feed.is_last(entry, summary=self._summary) for entry in _read(feed, position)):
            return
        while True:
            await self._pace()
            item = feed.take(position)
            if item is None:
                await feed.wait()
                continue
            if isinstance(item, Token) and len(item.delta.text) < MAX_PIECE_CHARS:
                self._due_s = anyio.current_time() + self._every_s
            yield item
            if feed.is_last(item, summary=self._summary):
                return

    async def _pace(self) -> None:
        if self._every_s and not self._feed.has_more_than_text(self._position):
            await anyio.sleep(max(0.0, self._due_s - anyio.current_time()))


def _read(feed: RunFeed, position: Position) -> list[RunItem]:
    return list(feed.journal[: position.num_events])
