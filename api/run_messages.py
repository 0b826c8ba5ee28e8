"""What a web client is told of one run, or of all of them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from api.run_event import cut_event, run_event
from api.socket_message import (
    DoneMessage,
    EventMessage,
    EventsMessage,
    TokenMessage,
    WaitingMessage,
)
from bus.event_feed import EventFeed
from bus.run_cursor import RunCursor
from bus.run_feed import RunFeed, RunItem
from bus.run_feeds import RunFollower
from bus.token_stream import Token
from contracts.run_view import build_run_view
from contracts.waiting import WaitReport

RunMessage = EventMessage | TokenMessage | WaitingMessage | DoneMessage


class RunMessages:
    """The messages of one run after ``after``; its feed must be loaded.

    What was told last can be gone on from with ``cursor``.
    """

    def __init__(self, feed: RunFeed, after: RunCursor, *, every_s: float) -> None:
        self._feed = feed
        self._after = after
        self._follower = RunFollower(feed, after, every_s=every_s)

    @property
    def cursor(self) -> str:
        """What to come back with."""
        return str(self._follower.cursor)

    @property
    def is_over(self) -> bool:
        """Whether its client had everything, the outcome too, before it came."""
        read = [entry for entry in self._feed.journal if entry.sequence <= self._after.sequence]
        return any(self._feed.is_last(entry, summary=False) for entry in read)

    async def live(self) -> AsyncGenerator[RunMessage, None]:
        """What happened and happens, until the outcome. Raises: BusUnavailable."""
        async with aclosing(self._follower.items()) as items:
            async for item in items:
                yield self._message_of(item)
        journal = sorted(self._feed.journal, key=lambda entry: entry.sequence)
        yield DoneMessage(cursor=self.cursor, run=build_run_view(self._feed.run_id, journal))

    def _message_of(self, item: RunItem) -> RunMessage:
        if isinstance(item, Token):
            offset, text = item.delta.offset, item.delta.text
            return TokenMessage(cursor=self.cursor, attempt=item.attempt, offset=offset, text=text)
        if isinstance(item, WaitReport):
            return WaitingMessage(**item.model_dump())
        return EventMessage(cursor=self.cursor, **run_event(item).model_dump())


async def all_events(
    feed: EventFeed, after: int | None, *, every_s: float
) -> AsyncGenerator[EventsMessage, None]:
    """The events of all runs after sequence ``after`` (None: from now on), for ever.

    Raises: BusUnavailable.
    """
    async with aclosing(feed.follow(after, every_s=every_s)) as pages:
        async for page in pages:
            events = tuple(cut_event(entry) for entry in page.entries)
            yield EventsMessage(cursor=str(page.sequence), events=events)
