"""Why a run waits: told every second or two while it does, and kept for minutes only."""

from enum import StrEnum

from pydantic import Field

from contracts.message import Message
from contracts.run_id import RunId


class WaitCause(StrEnum):
    """What a generation waits for."""

    QUEUED = "queued"  # others are ahead of it
    LOADING = "loading"  # its model is being read
    EVICTING = "evicting"  # another model must leave first
    NO_ROOM = "no_room"  # memory is held by models that are busy or pinned
    NO_HOST = "no_host"  # no executor holds its model


class WaitNote(Message):
    """Where a generation stands while it waits, and in one sentence why.

    ``position`` counts those ahead of it (0: it is next); ``progress`` is the fraction of the load
    that is done, by bytes; ``estimate_s`` how much longer it may take. What nobody knows is None.
    ``model`` is empty as long as none is chosen.
    """

    model: str
    cause: WaitCause
    message: str
    host: str | None = None
    position: int | None = Field(default=None, ge=0)
    progress: float | None = Field(default=None, ge=0.0, le=1.0)
    estimate_s: float | None = Field(default=None, ge=0.0)
    waited_s: float = Field(default=0.0, ge=0.0)


class WaitReport(WaitNote):
    """A note on one attempt of a run, as it travels on ``waits.<run_id>``."""

    run_id: RunId
    attempt: int = 1
