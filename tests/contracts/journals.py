"""Journals made by hand: events in the order in which a run would store them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contracts.actor_kind import ActorKind
from contracts.errors import ErrorInfo, ProviderFailed
from contracts.event import (
    AnswerGenerated,
    Event,
    Finding,
    HistoryRecalled,
    Outcome,
    OutputValidated,
    PromptAnalyzed,
    ResourcesDecided,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    RunSummarized,
    StepEvent,
    StepFailed,
)
from contracts.generation import GenerationResult, Usage
from contracts.journal_entry import JournalEntry
from contracts.prompt import SubmitPrompt, TaskType
from contracts.run_id import derive_run_id
from contracts.subjects import OUTCOME, STARTED, RunSubject

RUN_ID = derive_run_id(1_700_000_000_000, "journals")
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ERROR: ErrorInfo = ProviderFailed(provider="local", reason="out of memory").to_wire()


def result(output: str = "Paris.", model: str = "pocket", tokens: int = 3) -> GenerationResult:
    """What a model answered."""
    return GenerationResult(
        output=output,
        model=model,
        strategy="standard",
        provider="local",
        source="local",
        finish_reason="stop",
        usage=Usage(prompt_tokens=5, completion_tokens=tokens, total_tokens=5 + tokens),
    )


def journal(*events: Event) -> list[JournalEntry]:
    """``events`` as lines of a journal, 10 ms apart."""
    return [
        JournalEntry(
            subject=_subject(event),
            event=event,
            sequence=number + 1,
            stored_at=BEGIN + timedelta(milliseconds=10 * number),
            writer="tests",
            nonce=str(number),
        )
        for number, event in enumerate(events)
    ]


def _subject(event: Event) -> RunSubject:
    if isinstance(event, Outcome):
        return RunSubject(event.run_id, OUTCOME)
    if isinstance(event, StepFailed):
        return RunSubject(event.run_id, event.actor, event.attempt)
    if isinstance(event, StepEvent) and event.node is not None:
        return RunSubject(event.run_id, event.node, event.attempt)
    return RunSubject(event.run_id, STARTED if isinstance(event, RunStarted) else "cancel")


def started(prompt: str = "Capital of France?", session_id: str | None = None) -> RunStarted:
    """The first event."""
    submitted = SubmitPrompt(prompt=prompt, run_id=RUN_ID, session_id=session_id)
    return RunStarted(run_id=RUN_ID, submitted=submitted, trace_id="ab" * 16)


def analyzed() -> PromptAnalyzed:
    """A question in English."""
    return PromptAnalyzed(
        run_id=RUN_ID, task_type=TaskType.QUESTION, language="en", num_tokens=5, duration_ms=1.5
    )


def recalled() -> HistoryRecalled:
    """Nothing to recall."""
    return HistoryRecalled(run_id=RUN_ID)


def decided() -> ResourcesDecided:
    """The model that shall answer."""
    return ResourcesDecided(
        run_id=RUN_ID, model="pocket", strategy="standard", reason="it is resident"
    )


def generated(attempt: int = 1, model: str = "pocket") -> AnswerGenerated:
    """An answer."""
    return AnswerGenerated(run_id=RUN_ID, attempt=attempt, result=result(model=model))


def failed(actor: ActorKind, attempt: int = 1) -> StepFailed:
    """A step without result."""
    return StepFailed(run_id=RUN_ID, attempt=attempt, actor=actor, error=ERROR)


def accepted(attempt: int = 1, score: int = 100) -> OutputValidated:
    """A good answer."""
    return OutputValidated(run_id=RUN_ID, attempt=attempt, score=score, verdict="accept")


def refused(attempt: int = 1, score: int = 40) -> OutputValidated:
    """An answer to be tried again."""
    finding = Finding(name="truncated", detail="no full stop", penalty=60)
    return OutputValidated(
        run_id=RUN_ID, attempt=attempt, score=score, verdict="retry", findings=(finding,)
    )


def answered(num_attempts: int = 1, model: str = "pocket") -> RunAnswered:
    """The outcome of a good run."""
    return RunAnswered(
        run_id=RUN_ID,
        output="Paris.",
        task_type=TaskType.QUESTION,
        score=100,
        num_attempts=num_attempts,
        result=result(model=model),
    )


def failed_run() -> RunFailed:
    """The outcome of a run without answer."""
    return RunFailed(run_id=RUN_ID, error=ERROR, step="executor/1")


def cancelled_run() -> RunCancelled:
    """The outcome of a run that was ended."""
    return RunCancelled(run_id=RUN_ID, step="executor/1", cancel_ms=3.0, reason="not needed")


def summarized() -> RunSummarized:
    """Title and totals."""
    return RunSummarized(run_id=RUN_ID, title="Capital of France", summary="It is Paris.")


def whole_run() -> Sequence[JournalEntry]:
    """A run that was answered at the first attempt."""
    return journal(
        started(),
        recalled(),
        analyzed(),
        decided(),
        generated(),
        accepted(),
        answered(),
        summarized(),
    )
