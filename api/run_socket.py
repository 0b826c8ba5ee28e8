"""One WebSocket client following one run."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus

import anyio
from fastapi import WebSocketDisconnect

from api.idempotency import Idempotency
from api.json_socket import NORMAL, TRY_AGAIN, JsonSocket, SlowReader
from api.limits import ApiLimits
from api.problem import RefusedRequest
from api.request_body import parse_model
from api.run_event import run_event
from api.runs import Runs
from api.socket_message import (
    AcceptedMessage,
    CancelMessage,
    DoneMessage,
    EventMessage,
    PromptMessage,
    TokenMessage,
    WaitingMessage,
)
from bus.prompt_client import PromptClient, Token
from contracts.errors import PromptbusError, RunFinished, Unexpected
from contracts.journal_entry import JournalEntry
from contracts.run_view import build_run_view
from contracts.waiting import WaitReport

logger = logging.getLogger(__name__)


class RunSocket:
    """Serves one socket until its run has its outcome or its client has gone.

    A client that goes away leaves its run going on, and may join it again. One that does not
    read is cut off and may do the same; it hears 1013 if it reads on before that is given up.
    """

    def __init__(
        self, socket: JsonSocket, client: PromptClient, runs: Runs, limits: ApiLimits
    ) -> None:
        self._socket = socket
        self._client = client
        self._runs = runs
        self._limits = limits

    async def serve_prompt(self, owner: str = "") -> None:
        """Receive one prompt of ``owner``, submit it, follow its run."""
        await self._serve(lambda: self._submit_and_follow(owner))

    async def serve_run(self, run_id: str, after: int) -> None:
        """Follow a run that exists; events up to sequence ``after`` are left out."""

        async def join() -> None:
            await self._runs.journal(run_id)
            await self._follow(run_id, after)

        await self._serve(join)

    async def _serve(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
            await self._socket.close(NORMAL)
        except WebSocketDisconnect:
            return
        except SlowReader:
            await self._socket.close(TRY_AGAIN)
        except PromptbusError as exc:
            await self._socket.fail(exc)
        except Exception as exc:
            logger.error("a socket failed: %s", type(exc).__name__)
            await self._socket.fail(Unexpected(exc))

    async def _submit_and_follow(self, owner: str) -> None:
        wanted = await self._receive_prompt()
        run_id = await self._runs.submit(wanted, Idempotency(wanted.idempotency_key, owner))
        await self._socket.send(AcceptedMessage(run_id=run_id))
        await self._follow(run_id, after=0)

    async def _receive_prompt(self) -> PromptMessage:
        with anyio.move_on_after(self._limits.body_timeout_s):
            return parse_model(await self._socket.receive(), PromptMessage)
        raise RefusedRequest(
            "body_too_slow",
            f"no prompt within {self._limits.body_timeout_s:g} s",
            status=HTTPStatus.REQUEST_TIMEOUT,
            limit=self._limits.body_timeout_s,
        )

    async def _follow(self, run_id: str, after: int) -> None:
        """Send what happens and hear the client, until either side is through."""
        faults: list[Exception] = []

        async def run(part: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
            try:
                await part()
            except Exception as exc:
                faults.append(exc)
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, lambda: self._tell(run_id, after), tasks.cancel_scope)
            tasks.start_soon(run, lambda: self._hear(run_id), tasks.cancel_scope)
        if faults:
            raise faults[0]

    async def _tell(self, run_id: str, after: int) -> None:
        journal: list[JournalEntry] = []
        async with aclosing(self._client.follow(run_id)) as items:
            async for item in items:
                if not isinstance(item, JournalEntry):
                    await self._socket.send(_passing_message(item))
                    continue
                journal.append(item)
                if item.sequence > after:
                    await self._socket.send(_event_message(item))
        journal.sort(key=lambda entry: entry.sequence)
        await self._socket.send(DoneMessage(run=build_run_view(run_id, journal)))

    async def _hear(self, run_id: str) -> None:
        while True:
            wish = parse_model(await self._socket.receive(), CancelMessage)
            try:
                await self._runs.cancel(run_id, wish.reason)
            except RunFinished:
                # The outcome is on its way to the client already.
                continue


def _passing_message(item: Token | WaitReport) -> TokenMessage | WaitingMessage:
    if isinstance(item, WaitReport):
        return WaitingMessage(**item.model_dump())
    return TokenMessage(attempt=item.attempt, offset=item.delta.offset, text=item.delta.text)


def _event_message(entry: JournalEntry) -> EventMessage:
    return EventMessage(**run_event(entry).model_dump())
