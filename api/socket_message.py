"""What this server says to who follows runs, over WebSocket and as server-sent events alike.

Over WebSocket all of it travels in JSON text frames. ``cursor`` is what to come back with to go on
after the message that carries it.
"""

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
    cursor: str


class TokenMessage(Message):
    """A piece of the answer; ``text`` begins at character ``offset`` of that attempt's whole.

    Characters are Unicode code points. Where ``offset`` is not the end of what came before, the
    piece replaces that from there on: another executor began the attempt anew.
    """

    type: Literal["token"] = "token"
    cursor: str
    attempt: int
    offset: int
    text: str


class WaitingMessage(WaitReport):
    """The run waits, and why; the next message, whatever it is, ends or replaces this."""

    type: Literal["waiting"] = "waiting"


class DoneMessage(Message):
    """The run has its outcome; nothing comes after this."""

    type: Literal["done"] = "done"
    cursor: str
    run: RunView


class EventsMessage(Message):
    """Events of any runs, in order; the first of these messages has none and tells the cursor.

    Long texts in their ``data`` are cut; the whole is at ``/orchestrator/runs/{run_id}/events``.
    """

    type: Literal["events"] = "events"
    cursor: str
    events: tuple[RunEvent, ...]


class ErrorMessage(Message):
    """Something is wrong; nothing comes after this."""

    type: Literal["error"] = "error"
    error: ErrorInfo


class PromptMessage(PromptRequest):
    """What a client submits; ``idempotency_key`` is to a socket what the header is to REST."""

    idempotency_key: str | None = None


class CancelMessage(Request):
    """What a client may say while its run goes on: end it."""

    type: Literal["cancel"]
    reason: str = Field(default="", max_length=500)
