"""Dead letters: what nobody could handle, what was changed in it, and what became of it."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.errors import ErrorInfo
from contracts.message import Message
from contracts.run_id import RunId

Settlement = Literal["replayed", "dropped"]
LetterState = Literal["open", "replayed", "dropped"]


class DeadLetter(Message):
    """A task or message that nobody could handle, and why.

    ``payload`` is what came; ``is_whole`` is false where bytes of it were no text or were cut.
    """

    actor: str
    subject: str
    error: ErrorInfo
    payload: str
    is_whole: bool = True
    run_id: str | None = None
    trace_id: str | None = None
    num_delivered: int = 1


class DeadLetterEdited(Message):
    """Another payload stands in for that of letter ``letter_id``; the last edit counts."""

    letter_id: int
    payload: str


class DeadLetterSettled(Message):
    """What became of letter ``letter_id``; written once.

    ``run_id`` is the run that a replay leads to: a new one, or the letter's own where that still
    waits for the message.
    """

    letter_id: int
    how: Settlement
    run_id: RunId | None = None
    reason: str = ""


class ReplayView(Message):
    """What a replay puts on which subject, and the run that it leads to."""

    subject: str
    run_id: RunId
    payload: str


class LetterView(Message):
    """A dead letter as people see it; ``letter_id`` is its place in the stream DEAD.

    ``payload`` is the last edit, else what came. ``replay_sends`` is what a replay would put on
    which subject as which run, and where it cannot, ``obstacle`` says why.
    """

    letter_id: int
    state: LetterState
    buried_at: datetime
    actor: str
    subject: str
    error: ErrorInfo
    run_id: str | None = None
    trace_id: str | None = None
    num_delivered: int = 1
    payload: str = ""
    is_whole: bool = True
    edited: bool = False
    replay_sends: ReplayView | None = None
    obstacle: ErrorInfo | None = None
    replayed_as: str | None = None
    reason: str = Field(default="", description="why it was dropped")


def build_letter_view(
    letter_id: int,
    buried_at: datetime,
    letter: DeadLetter,
    edited: DeadLetterEdited | None,
    settled: DeadLetterSettled | None,
) -> LetterView:
    """The view of a letter with what happened to it since; pure."""
    return LetterView(
        letter_id=letter_id,
        state=settled.how if settled else "open",
        buried_at=buried_at,
        payload=edited.payload if edited else letter.payload,
        is_whole=edited is not None or letter.is_whole,
        edited=edited is not None,
        replayed_as=settled.run_id if settled else None,
        reason=settled.reason if settled else "",
        **{
            name: getattr(letter, name)
            for name in ("actor", "subject", "error", "run_id", "trace_id", "num_delivered")
        },
    )


DEAD_LETTERS: tuple[type[Message], ...] = (DeadLetter, DeadLetterEdited, DeadLetterSettled)
