"""Where a message belongs in its run's trace, as W3C Trace Context; pure.

The trace id of a run is its run id, and its spans' ids follow from what they tell of. So whoever
knows a run knows its trace, a replay can point to the run before, and nobody has to hand on more
than a header.
"""

import re
from typing import Final

from contracts.dead_letter import DeadLetter
from contracts.event import Event, StepEvent, StepFailed
from contracts.message import Message
from contracts.prompt import SubmitPrompt
from contracts.span import SpanLink, span_id_of
from contracts.task import Task

RUN: Final = "run"
SUBMIT: Final = "submit"

# 03: recorded, and the id is random enough to sample by.
_FLAGS: Final = "03"
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_NONE = frozenset({"0" * 32, "0" * 16})


def run_span_id(run_id: str) -> str:
    """The id of a run's root span."""
    return span_id_of(run_id, RUN)


def traceparent(run_id: str, *parts: str | int) -> str:
    """The header that names the span of ``parts`` in that run."""
    return f"00-{run_id}-{span_id_of(run_id, *parts)}-{_FLAGS}"


def traceparent_of(message: Message) -> str | None:
    """The header of a message: the span that sends it; None where it belongs to no run."""
    match message:
        case Task():
            return traceparent(message.run_id, message.step)
        case StepFailed():
            return traceparent(message.run_id, f"{message.actor}/{message.attempt}")
        case StepEvent():
            return traceparent(message.run_id, f"{message.node}/{message.attempt}")
        case SubmitPrompt(run_id=str(run_id)):
            return traceparent(run_id, SUBMIT)
        case Event() | DeadLetter(run_id=str()):
            return traceparent(str(message.run_id), RUN)
    return None


def parse_traceparent(header: str | None) -> SpanLink | None:
    """The span that a header names; None where it names none."""
    found = _TRACEPARENT.fullmatch(header or "")
    if found is None or not _NONE.isdisjoint(found.groups()):
        return None
    return SpanLink(found[1], found[2])
