"""The spans of what actors do at a step: their tries, and the dead letters they write; pure."""

from typing import Final

from contracts import semconv, subjects
from contracts.actor_kind import ActorKind
from contracts.semconv import Role
from contracts.span import AttributeValue, Span, SpanKind, span_id_of
from contracts.trace_context import run_span_id

WORK: Final = "work"
DEAD: Final = "dead"
_NUM_WRITER_PARTS: Final = 3


def work_span(
    run_id: str,
    step: str,
    num_delivered: int,
    *,
    begin_ns: int,
    end_ns: int | None = None,
    host: str = "",
    error: str = "",
    is_lost: bool = False,
) -> Span:
    """One actor's try at ``step``, which was handed out ``num_delivered`` times by then.

    ``is_lost``: its process was not heard of again, and somebody else says so.
    """
    node, _, attempt = step.partition("/")
    subject = f"tasks.{node}"
    attributes: dict[str, AttributeValue] = {
        semconv.ROLE: Role.WORK,
        semconv.ACTOR: node,
        semconv.STEP: step,
        semconv.ATTEMPT: int(attempt),
        semconv.NUM_DELIVERED: num_delivered,
        **message_attributes("process", subject),
        semconv.MESSAGING_CONSUMER_GROUP: node,
    }
    if error:
        attributes[semconv.ERROR_TYPE] = error
    if is_lost:
        attributes[semconv.LOST] = True
    return Span(
        run_id,
        span_id_of(run_id, step, WORK, num_delivered),
        span_id_of(run_id, step),
        f"process {subject}",
        SpanKind.CONSUMER,
        begin_ns,
        end_ns if end_ns is None else max(begin_ns, end_ns),
        semconv.service_of(node),
        host,
        attributes,
        error,
    )


def dead_span(
    run_id: str, step: str | None, actor: ActorKind, letter: str, *, time_ns: int, error: str
) -> Span:
    """A dead letter, below the step that it is about, or its run; ``letter`` tells it apart."""
    subject = subjects.dead(actor)
    return Span(
        run_id,
        span_id_of(run_id, DEAD, letter),
        span_id_of(run_id, step) if step is not None else run_span_id(run_id),
        f"send {subject}",
        SpanKind.PRODUCER,
        time_ns,
        time_ns,
        semconv.service_of(actor),
        "",
        {
            semconv.ROLE: Role.DEAD,
            semconv.ACTOR: actor.value,
            semconv.ERROR_TYPE: error,
            **message_attributes("send", subject),
        },
        error,
    )


def message_attributes(operation: str, subject: str) -> dict[str, AttributeValue]:
    """What the messaging conventions want of a hop over ``subject``."""
    return {
        semconv.MESSAGING_SYSTEM: semconv.NATS,
        semconv.MESSAGING_OPERATION_NAME: operation,
        semconv.MESSAGING_OPERATION_TYPE: operation,
        semconv.MESSAGING_DESTINATION: subject,
    }


def role_of(writer: str) -> str:
    """The role in ``promptbus/<role>/<host>-<pid>``; a foreign writer is a client."""
    parts = writer.split("/")
    return parts[1] if len(parts) == _NUM_WRITER_PARTS and parts[0] == "promptbus" else "client"


def host_of(writer: str) -> str:
    """The host in ``promptbus/<role>/<host>-<pid>``."""
    parts = writer.split("/")
    return parts[2].rpartition("-")[0] if len(parts) == _NUM_WRITER_PARTS else ""
