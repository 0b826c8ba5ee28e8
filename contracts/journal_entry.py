"""One line of a journal: an event with its place and time in the stream."""

from dataclasses import dataclass
from datetime import datetime

from contracts.event import (
    CancelRequested,
    Event,
    Outcome,
    PromptSubmitted,
    RunStarted,
    StepEvent,
    StepFailed,
)
from contracts.subjects import CANCEL, OUTCOME, STARTED, SUBMITTED, RunSubject


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """``sequence`` and ``stored_at`` are the stream's own; ``writer`` is who wrote it."""

    subject: RunSubject
    event: Event
    sequence: int
    stored_at: datetime
    writer: str
    nonce: str


def belongs(event: Event, place: RunSubject) -> bool:
    """Whether ``event`` is one that may stand at ``place``: of that run, step and kind; pure."""
    if event.run_id != place.run_id:
        return False
    match event:
        case StepFailed():
            return (event.actor, event.attempt) == (place.node, place.attempt)
        case StepEvent():
            return (event.node, event.attempt) == (place.node, place.attempt)
        case PromptSubmitted():
            return place.node == SUBMITTED
        case RunStarted():
            return place.node == STARTED
        case CancelRequested():
            return place.node == CANCEL
    return isinstance(event, Outcome) and place.node == OUTCOME
