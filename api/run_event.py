"""An event of a journal as web clients see it."""

from datetime import datetime
from typing import Any, Final

from contracts.journal_entry import JournalEntry
from contracts.message import JsonObject, Message

# Enough to tell runs apart; whole conversations would freeze a page that shows many.
MAX_EXCERPT_CHARS: Final = 200
MAX_EXCERPT_ITEMS: Final = 8


class RunEvent(Message):
    """One event: its run, its place in the stream, its step, its class and its content.

    ``sequence`` grows within a run and is the cursor for resuming; ``step`` is ``<node>/<attempt>``
    or the bare name of an event of the run itself.
    """

    run_id: str
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
        run_id=entry.subject.run_id,
        sequence=entry.sequence,
        step=entry.subject.step,
        event_type=type(entry.event).__name__,
        time=entry.stored_at,
        data=entry.event.model_dump(mode="json", exclude_none=True),
    )


def cut_event(entry: JournalEntry) -> RunEvent:
    """``entry`` with every text in it cut to a few words, for who follows all runs."""
    event = run_event(entry)
    return event.model_copy(update={"data": _cut(event.data)})


def _cut(value: Any) -> Any:
    match value:
        case str() if len(value) > MAX_EXCERPT_CHARS:
            return f"{value[:MAX_EXCERPT_CHARS]}…"
        case dict():
            return {name: _cut(inner) for name, inner in value.items()}
        case list():
            return [_cut(inner) for inner in value[:MAX_EXCERPT_ITEMS]]
    return value
