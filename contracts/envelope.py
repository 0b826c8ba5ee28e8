"""Headers and payload of a message: CloudEvents 1.0 in NATS binary mode, without a socket.

The payload is the message's JSON alone, readable with a plain ``nats sub``; what a reader needs to
know about it stands in the headers (``ce-*``, ``traceparent``, ``Nats-Msg-Id``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError

from contracts.dead_letter import DEAD_LETTERS
from contracts.errors import MalformedMessage
from contracts.event import EVENTS, Event
from contracts.message import Message
from contracts.prompt import SubmitPrompt
from contracts.task import TASKS

CE_ID = "ce-id"
CE_TYPE = "ce-type"
CE_SOURCE = "ce-source"
CE_TIME = "ce-time"
CE_SUBJECT = "ce-subject"
CE_SPECVERSION = "ce-specversion"
MSG_ID = "Nats-Msg-Id"
TRACEPARENT = "traceparent"

TYPE_PREFIX = "promptbus."
MESSAGES: tuple[type[Message], ...] = (SubmitPrompt, *TASKS, *EVENTS, *DEAD_LETTERS)
_BY_TYPE: dict[str, type[Message]] = {f"{TYPE_PREFIX}{cls.__name__}": cls for cls in MESSAGES}

MessageT = TypeVar("MessageT", bound=Message)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way: ``message_id`` is unique to this writing of it."""

    message: Message
    message_id: str
    source: str
    subject: str
    headers: Mapping[str, str] = field(default_factory=dict)


def encode(envelope: Envelope) -> tuple[dict[str, str], bytes]:
    """Headers and payload as they go onto the bus."""
    headers = {
        **envelope.headers,
        CE_SPECVERSION: "1.0",
        CE_ID: envelope.message_id,
        CE_TYPE: type_name(type(envelope.message)),
        CE_SOURCE: envelope.source,
        CE_SUBJECT: envelope.subject,
        CE_TIME: datetime.now(UTC).isoformat(timespec="microseconds"),
        MSG_ID: envelope.message_id,
    }
    return headers, envelope.message.encode()


def type_name(cls: type[Message]) -> str:
    """The ``ce-type`` of a message class."""
    return f"{TYPE_PREFIX}{cls.__name__}"


def decode(cls: type[MessageT], subject: str, payload: bytes) -> MessageT:
    """The message in ``payload``, which must be one of ``cls``.

    Raises: MalformedMessage naming the first wrong field, never its content.
    """
    try:
        return cls.model_validate_json(payload)
    except ValidationError as exc:
        where, reason = first_problem(exc)
        raise MalformedMessage(subject=subject, reason=f"{where}: {reason}", field=where) from exc


def decode_event(subject: str, headers: Mapping[str, str] | None, payload: bytes) -> Event:
    """The event in ``payload``, of the class its ``ce-type`` names.

    Raises: MalformedMessage when the type is missing or no event, or the payload is not one.
    """
    name = (headers or {}).get(CE_TYPE, "")
    cls = _BY_TYPE.get(name)
    if cls is None or not issubclass(cls, Event):
        raise MalformedMessage(subject=subject, reason=f"unknown event type {name[:80]!r}")
    return decode(cls, subject, payload)


def first_problem(exc: ValidationError) -> tuple[str, str]:
    """Field and reason of the first error in ``exc``, without the input."""
    error = exc.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in error["loc"])
    reason = error["msg"].removeprefix("Value error, ")
    if error["type"] == "json_invalid":
        return "body", "is not valid JSON"
    if not where and ": " in reason:
        where, _, reason = reason.partition(": ")
    return where or "body", reason
