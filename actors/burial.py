"""Writes what nobody could handle where a person finds it, and into the trace of its run."""

import logging
import time

from bus.publisher import Publisher
from bus.pull_worker import Delivery
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.dead_letter import DeadLetter
from contracts.envelope import TRACEPARENT
from contracts.errors import PromptbusError
from contracts.trace_context import parse_traceparent
from contracts.work_span import dead_span

logger = logging.getLogger(__name__)

MAX_DEAD_PAYLOAD_BYTES = 2 * 1024 * 1024


async def bury(
    publisher: Publisher,
    actor: ActorKind,
    delivery: Delivery,
    error: PromptbusError,
    *,
    run_id: str | None = None,
    step: str | None = None,
) -> None:
    """Write a dead letter: what came, why nobody could handle it, and for which run and step."""
    logger.warning("dead letter for %s: %s", actor, error)
    payload = delivery.data[:MAX_DEAD_PAYLOAD_BYTES].decode(errors="replace")
    letter = DeadLetter(
        actor=actor,
        subject=delivery.subject,
        error=error.to_wire(),
        payload=payload,
        is_whole=payload.encode() == delivery.data,
        run_id=run_id,
        trace_id=run_id or _trace_id(delivery),
        num_delivered=delivery.num_delivered,
    )
    message_id = f"dead/{actor}/{delivery.subject}/{delivery.stream_sequence}"
    await publisher.publish(subjects.dead(actor), letter, message_id=message_id)
    if run_id is not None:
        span = dead_span(run_id, step, actor, message_id, time_ns=now_ns(), error=error.code)
        await publisher.spans.send([span])


def _trace_id(delivery: Delivery) -> str | None:
    """The trace that the message belongs to, where it says so."""
    found = parse_traceparent(delivery.headers.get(TRACEPARENT))
    return found.trace_id if found is not None else None


def now_ns() -> int:
    """Now, in nanoseconds since the epoch, as exact as Jaeger keeps it."""
    return time.time_ns() // 1000 * 1000
