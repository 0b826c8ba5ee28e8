"""Calling an actor and hearing its one answer, over plain NATS: nothing of it is stored.

While it works on a call the actor says so every two seconds, so that the death of the one that
took it is noticed although the call may take minutes.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

import anyio
from anyio.abc import TaskStatus
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from bus.connection import Connection
from contracts.call import Call
from contracts.envelope import CE_TYPE, decode, type_name
from contracts.errors import (
    BusUnavailable,
    DeadlineExceeded,
    ErrorInfo,
    MalformedMessage,
    NotReady,
    PromptbusError,
    RemoteError,
    Unexpected,
)
from contracts.message import Message

logger = logging.getLogger(__name__)

WORKING_EVERY_S: Final = 2.0
# Three signs of life may be late or lost.
SILENCE_S: Final = 8.0

_STATE: Final = "call-state"
_WORKING, _DONE, _FAILED = "working", "done", "failed"

ReplyT = TypeVar("ReplyT", bound=Message)
Handler = Callable[[Any], Awaitable[Message]]


class Caller:
    """Calls actors for one process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(
        self, subject: str, call: Call, reply: type[ReplyT], *, timeout_s: float
    ) -> ReplyT:
        """The answer to ``call``, which must be a ``reply``.

        Raises: what the actor says (RemoteError); NotReady where none listens, or the one that
        took the call fell silent; DeadlineExceeded after ``timeout_s``, when the actor may still be
        at it; BusUnavailable.
        """
        client = self._connection.client
        inbox = client.new_inbox()
        try:
            subscription = await client.subscribe(inbox)
            try:
                headers = {CE_TYPE: type_name(type(call))}
                await client.publish(subject, call.encode(), reply=inbox, headers=headers)
                with anyio.move_on_after(timeout_s):
                    while True:
                        message = await subscription.next_msg(timeout=SILENCE_S)
                        if (message.headers or {}).get(_STATE) != _WORKING:
                            return _reply_of(subject, message, reply)
            finally:
                await subscription.unsubscribe()
        except TimeoutError as exc:
            raise _nobody(subject) from exc
        except NatsError as exc:
            raise BusUnavailable(f"{subject} cannot be called: {type(exc).__name__}") from exc
        raise DeadlineExceeded(
            what=f"{type(call).__name__} on {subject}",
            deadline_s=timeout_s,
            cure="it may still be done; look again in a while",
        )


class CallServer:
    """Answers the calls on ``subject``; those with the same ``queue`` share them."""

    def __init__(
        self,
        connection: Connection,
        subject: str,
        handlers: Mapping[type[Call], Handler],
        *,
        queue: str = "",
    ) -> None:
        self._connection = connection
        self._subject = subject
        self._handlers = {type_name(cls): (cls, handle) for cls, handle in handlers.items()}
        self._queue = queue

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled."""
        async with anyio.create_task_group() as tasks:

            async def take(message: Msg) -> None:
                tasks.start_soon(self._answer, message)

            subscription = await self._connection.client.subscribe(
                self._subject, queue=self._queue, cb=take
            )
            task_status.started()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    if not self._connection.client.is_closed:
                        await subscription.unsubscribe()

    async def _answer(self, message: Msg) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_saying, message.reply)
                state, answer = await self._work(message)
                tasks.cancel_scope.cancel()
            await self._say(message.reply, state, answer.encode())
        except NatsError as exc:
            logger.warning("an answer on %s was lost: %s", self._subject, exc)

    async def _work(self, message: Msg) -> tuple[str, Message]:
        name = (message.headers or {}).get(CE_TYPE, "")
        try:
            if name not in self._handlers:
                raise MalformedMessage(subject=self._subject, reason="unknown call")
            cls, handle = self._handlers[name]
            return _DONE, await handle(decode(cls, self._subject, message.data))
        except PromptbusError as exc:
            return _FAILED, exc.to_wire()
        except Exception as exc:
            logger.error("a call on %s failed: %s", self._subject, type(exc).__name__)
            return _FAILED, Unexpected(exc).to_wire()

    async def _keep_saying(self, inbox: str) -> None:
        while True:
            await anyio.sleep(WORKING_EVERY_S)
            await self._say(inbox, _WORKING, b"")

    async def _say(self, inbox: str, state: str, payload: bytes) -> None:
        if inbox:
            await self._connection.client.publish(inbox, payload, headers={_STATE: state})


def _reply_of(subject: str, message: Msg, reply: type[ReplyT]) -> ReplyT:
    headers = message.headers or {}
    if headers.get("Status") == str(HTTPStatus.SERVICE_UNAVAILABLE.value):
        raise _nobody(subject)
    try:
        if headers.get(_STATE) == _FAILED:
            raise RemoteError(ErrorInfo.model_validate_json(message.data))
        return reply.model_validate_json(message.data)
    except ValidationError as exc:
        raise MalformedMessage(subject=subject, reason="an answer that is none") from exc


def _nobody(subject: str) -> NotReady:
    _, kind, *_ = subject.split(".")
    return NotReady(f"no {kind} answers there", cure=f"start one: promptbus actor {kind}")
