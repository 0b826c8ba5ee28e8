"""One WebSocket client following one run, or all of them."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus

import anyio
from fastapi import WebSocketDisconnect

from api.idempotency import Idempotency
from api.json_socket import NORMAL, TRY_AGAIN, JsonSocket
from api.limits import ApiLimits
from api.problem import RefusedRequest
from api.request_body import parse_model
from api.run_messages import all_events
from api.runs import Runs
from api.slow_reader import SlowReader
from api.socket_message import AcceptedMessage, CancelMessage, PromptMessage
from bus.event_feed import EventFeed
from bus.run_cursor import RunCursor
from contracts.errors import PromptbusError, RunFinished, Unexpected
from contracts.message import Message

logger = logging.getLogger(__name__)


class RunSocket:
    """Serves one socket until there is nothing more to tell or its client has gone.

    A client that goes away leaves its run going on, and may join it again. One that does not
    read is cut off and may do the same; it hears 1013, and with it the cursor to come back with,
    if it reads on before that is given up.
    """

    def __init__(self, socket: JsonSocket, runs: Runs, limits: ApiLimits) -> None:
        self._socket = socket
        self._runs = runs
        self._limits = limits
        self._cursor = ""

    async def serve_prompt(self, owner: str, *, every_s: float) -> None:
        """Receive one prompt of ``owner``, submit it, follow its run."""

        async def submit_and_follow() -> None:
            wanted = await self._receive_prompt()
            run_id = await self._runs.submit(wanted, Idempotency(wanted.idempotency_key, owner))
            await self._socket.send(AcceptedMessage(run_id=run_id))
            await self._follow_run(run_id, RunCursor(), every_s)

        await self._serve(submit_and_follow)

    async def serve_run(self, run_id: str, after: str, *, every_s: float) -> None:
        """Follow a run that exists, from cursor ``after`` on."""

        async def follow() -> None:
            await self._follow_run(run_id, RunCursor.parse(after), every_s)

        await self._serve(follow)

    async def serve_all(self, feed: EventFeed, after: str | None, *, every_s: float) -> None:
        """Follow all runs, from sequence ``after`` on or from now."""

        async def follow() -> None:
            begin = None if after is None else RunCursor.parse(after).sequence
            await self._follow(all_events(feed, begin, every_s=every_s), self._hear_nothing)

        await self._serve(follow)

    async def _serve(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
            await self._socket.close(NORMAL)
        except WebSocketDisconnect:
            return
        except SlowReader:
            await self._socket.close(TRY_AGAIN, f"too slow; go on with ?after={self._cursor}")
        except PromptbusError as exc:
            await self._socket.fail(exc)
        except Exception as exc:
            logger.error("a socket failed: %s", type(exc).__name__)
            await self._socket.fail(Unexpected(exc))

    async def _receive_prompt(self) -> PromptMessage:
        with anyio.move_on_after(self._limits.body_timeout_s):
            return parse_model(await self._socket.receive(), PromptMessage)
        raise RefusedRequest(
            "body_too_slow",
            f"no prompt within {self._limits.body_timeout_s:g} s",
            status=HTTPStatus.REQUEST_TIMEOUT,
            limit=self._limits.body_timeout_s,
        )

    async def _follow_run(self, run_id: str, after: RunCursor, every_s: float) -> None:
        self._cursor = str(after)
        async with self._runs.following(run_id, after, every_s=every_s) as messages:
            await self._follow(messages.live(), lambda: self._hear(run_id))

    async def _follow(
        self, messages: AsyncGenerator[Message, None], hear: Callable[[], Awaitable[None]]
    ) -> None:
        """Send what happens and hear the client, until either side is through."""
        faults: list[Exception] = []

        async def run(part: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
            try:
                await part()
            except Exception as exc:
                faults.append(exc)
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, lambda: self._tell(messages), tasks.cancel_scope)
            tasks.start_soon(run, hear, tasks.cancel_scope)
        if faults:
            raise faults[0]

    async def _tell(self, messages: AsyncGenerator[Message, None]) -> None:
        async with aclosing(messages):
            async for message in messages:
                await self._socket.send(message)
                self._cursor = getattr(message, "cursor", self._cursor)

    async def _hear(self, run_id: str) -> None:
        while True:
            wish = parse_model(await self._socket.receive(), CancelMessage)
            try:
                await self._runs.cancel(run_id, wish.reason)
            except RunFinished:
                # The outcome is on its way to the client already.
                continue

    async def _hear_nothing(self) -> None:
        await self._socket.receive()
        raise RefusedRequest(
            "nothing_to_say", "here is nothing to say", status=HTTPStatus.BAD_REQUEST
        )
