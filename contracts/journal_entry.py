"""One line of a journal: an event with its place and time in the stream."""

from dataclasses import dataclass
from datetime import datetime

from contracts.event import Event
from contracts.subjects import RunSubject


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """``sequence`` and ``stored_at`` are the stream's own; ``writer`` is who wrote it."""

    subject: RunSubject
    event: Event
    sequence: int
    stored_at: datetime
    writer: str
    nonce: str
