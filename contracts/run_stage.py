"""Where a run was when it ended, in words that need no knowledge of actors; pure."""

from enum import StrEnum

from contracts.actor_kind import ActorKind


class RunStage(StrEnum):
    """The stages of a run, in their order."""

    QUEUED = "queued"  # no coordinator led it yet
    LEASED = "leased"  # one does, and has asked for nothing yet
    ANALYZING = "analyzing"
    RECALLING = "recalling"
    DECIDING = "deciding"  # which model, and where
    WAITING = "waiting"  # for a model: queued, loading, or nobody holds it
    PREFILLING = "prefilling"  # the model reads; no text yet
    DECODING = "decoding"
    VALIDATING = "validating"
    SUMMARIZING = "summarizing"


_BY_ACTOR = {
    ActorKind.ANALYZER: RunStage.ANALYZING,
    ActorKind.HISTORY: RunStage.RECALLING,
    ActorKind.MONITOR: RunStage.DECIDING,
    ActorKind.VALIDATOR: RunStage.VALIDATING,
    ActorKind.SUMMARIZER: RunStage.SUMMARIZING,
}


def stage_of(step: str | None, *, waits: bool = False, has_text: bool = False) -> RunStage:
    """The stage of a led run that asks for ``step``; the flags tell of a generation."""
    if step is None:
        return RunStage.LEASED
    actor = step.partition("/")[0]
    if actor != ActorKind.EXECUTOR:
        return _BY_ACTOR.get(ActorKind(actor), RunStage.LEASED)
    if has_text:
        return RunStage.DECODING
    return RunStage.WAITING if waits else RunStage.PREFILLING
