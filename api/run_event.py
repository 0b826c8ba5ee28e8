"""An event of a journal as web clients see it."""

from datetime import datetime

from contracts.journal_entry import JournalEntry
from contracts.message import JsonObject, Message


class RunEvent(Message):
    """One event: its place in the stream, its step, its class and its content.

    ``sequence`` grows within a run and is the cursor for resuming; ``step`` is ``<node>/<attempt>``
    or the bare name of an event of the run itself.
    """

    sequence: int
    step: str
    event_type: str
    time: datetime
    data: JsonObject


class RunEvents(Message):
    """What ``GET /orchestrator/runs/{run_id}/events`` answers."""

    run_id: str
    events: tuple[RunEvent, ...]


def run_event(entry: JournalEntry) -> RunEvent:
    """``entry`` as web clients see it."""
    return RunEvent(
        sequence=entry.sequence,
        step=entry.subject.step,
        event_type=type(entry.event).__name__,
        time=entry.stored_at,
        data=entry.event.model_dump(mode="json", exclude_none=True),
    )
