"""What a WebSocket client and this server say to each other; JSON text frames only."""

from typing import Literal

from pydantic import Field

from api.run_event import RunEvent
from contracts.errors import ErrorInfo
from contracts.message import Message, Request
from contracts.prompt import PromptRequest
from contracts.run_view import RunView
from contracts.waiting import WaitReport


class AcceptedMessage(Message):
    """The prompt is durably accepted."""

    type: Literal["accepted"] = "accepted"
    run_id: str


class EventMessage(RunEvent):
    """An event of the run was stored."""

    type: Literal["event"] = "event"


class TokenMessage(Message):
    """A piece of the answer; ``text`` begins at character ``offset`` of that attempt's whole."""

    type: Literal["token"] = "token"
    attempt: int
    offset: int
    text: str


class WaitingMessage(WaitReport):
    """The run waits, and why; the next message, whatever it is, ends or replaces this."""

    type: Literal["waiting"] = "waiting"


class DoneMessage(Message):
    """The run has its outcome; the socket closes after this."""

    type: Literal["done"] = "done"
    run: RunView


class ErrorMessage(Message):
    """Something is wrong; the socket closes after this."""

    type: Literal["error"] = "error"
    error: ErrorInfo


class PromptMessage(PromptRequest):
    """What a client submits; ``idempotency_key`` is to a socket what the header is to REST."""

    idempotency_key: str | None = None


class CancelMessage(Request):
    """What a client may say while its run goes on: end it."""

    type: Literal["cancel"]
    reason: str = Field(default="", max_length=500)
