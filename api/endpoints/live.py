"""Runs as they happen, over WebSocket and as server-sent events."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Response, WebSocket

from api.dependencies import EventsDep, LimitsDep, RunsDep
from api.event_source import MEDIA_TYPE, EventSource
from api.idempotency import owner_of
from api.json_socket import JsonSocket
from api.run_messages import RunMessages, all_events
from api.run_socket import RunSocket
from bus.run_cursor import RunCursor

router = APIRouter(prefix="/orchestrator", tags=["live"])

# A page can show twenty changes a second; text that comes faster arrives in larger pieces.
DEFAULT_EVERY_MS: Final = 50
MAX_EVERY_MS: Final = 10_000
MAX_CURSOR_CHARS: Final = 60

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "the events"},
    204: {"description": "there is nothing after the cursor: do not come back"},
}

After = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR_CHARS, description="the cursor of what was read last"),
]
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=MAX_CURSOR_CHARS, description="as `after`"),
]
EveryMs = Annotated[
    int,
    Query(ge=0, le=MAX_EVERY_MS, description="at most one piece of text, or page, in that time"),
]


class RunSockets:
    """Opens the sockets of one request."""

    def __init__(self, socket: WebSocket, runs: RunsDep, limits: LimitsDep) -> None:
        self._channel = JsonSocket(socket, limits)
        self._socket = RunSocket(self._channel, runs, limits)

    async def open(self) -> RunSocket:
        """The socket, its handshake accepted."""
        await self._channel.open()
        return self._socket


SocketsDep = Annotated[RunSockets, Depends()]


@router.websocket("/ws")
async def submit_socket(
    socket: WebSocket, sockets: SocketsDep, every_ms: EveryMs = DEFAULT_EVERY_MS
) -> None:
    """Submit one prompt and follow its run."""
    channel = await sockets.open()
    await channel.serve_prompt(owner_of(socket), every_s=every_ms / 1000)


@router.websocket("/runs/ws")
async def all_socket(
    sockets: SocketsDep,
    feed: EventsDep,
    after: After = None,
    every_ms: EveryMs = DEFAULT_EVERY_MS,
) -> None:
    """Follow the events of all runs, from cursor ``after`` on or from now."""
    channel = await sockets.open()
    await channel.serve_all(feed, after, every_s=every_ms / 1000)


@router.websocket("/runs/{run_id}/ws")
async def join_socket(
    run_id: str,
    sockets: SocketsDep,
    after: After = None,
    every_ms: EveryMs = DEFAULT_EVERY_MS,
) -> None:
    """Follow a run that exists, from its first event and token or from cursor ``after`` on."""
    channel = await sockets.open()
    await channel.serve_run(run_id, after or "0", every_s=every_ms / 1000)


async def _following(
    run_id: str,
    runs: RunsDep,
    after: After = None,
    last_event_id: LastEventId = None,
    every_ms: EveryMs = DEFAULT_EVERY_MS,
) -> AsyncIterator[RunMessages]:
    cursor = RunCursor.parse(last_event_id or after or "0")
    async with runs.following(run_id, cursor, every_s=every_ms / 1000) as messages:
        yield messages


@router.get("/runs/stream", responses=_STREAM, response_class=Response)
async def all_stream(
    feed: EventsDep,
    limits: LimitsDep,
    after: After = None,
    last_event_id: LastEventId = None,
    every_ms: EveryMs = DEFAULT_EVERY_MS,
) -> Response:
    """The events of all runs as server-sent events, from a cursor on or from now.

    Each message is a page of events, whose texts are cut; the first has none.
    """
    given = last_event_id or after
    begin = None if given is None else RunCursor.parse(given).sequence
    return EventSource(lambda: all_events(feed, begin, every_s=every_ms / 1000), limits)


@router.get("/runs/{run_id}/stream", responses=_STREAM, response_class=Response)
async def run_stream(
    messages: Annotated[RunMessages, Depends(_following)], limits: LimitsDep
) -> Response:
    """One run as server-sent events, from its first event and token or from a cursor on.

    `event`s and `token`s carry the cursor as their id; `done` is the last message.
    """
    if messages.is_over:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return EventSource(messages.live, limits)
