"""Journals to feed projections with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contracts.errors import ErrorInfo
from contracts.event import (
    AnswerGenerated,
    CancelRequested,
    Event,
    OutputValidated,
    PromptAnalyzed,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    RunSummarized,
    StepEvent,
)
from contracts.generation import GenerationResult, Usage
from contracts.journal_entry import JournalEntry
from contracts.prompt import SubmitPrompt, TaskType
from contracts.subjects import RunSubject

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAMES: dict[type[Event], str] = {
    RunStarted: "started",
    CancelRequested: "cancel",
    RunAnswered: "outcome",
    RunFailed: "outcome",
    RunCancelled: "outcome",
}


def entry(event: Event, sequence: int) -> JournalEntry:
    """``event`` as it stands at ``sequence`` of the stream, one second for each entry."""
    if isinstance(event, StepEvent):
        subject = RunSubject(event.run_id, str(event.node), event.attempt)
    else:
        subject = RunSubject(event.run_id, NAMES[type(event)])
    return JournalEntry(
        subject=subject,
        event=event,
        sequence=sequence,
        stored_at=NOON + timedelta(seconds=sequence),
        writer="test",
        nonce=str(sequence),
    )


def run_id(number: int) -> str:
    """A run id that tells runs apart."""
    return f"{number:032x}"


def result(output: str = "Hello!", num_tokens: int = 12) -> GenerationResult:
    """What pocket answered."""
    return GenerationResult(
        output=output,
        model="pocket",
        strategy="standard",
        provider="local",
        source="local",
        finish_reason="stop",
        usage=Usage(total_tokens=num_tokens),
    )


def started(number: int, prompt: str = "Hi", session_id: str | None = None) -> RunStarted:
    """The first event of run ``number``."""
    submitted = SubmitPrompt(prompt=prompt, session_id=session_id)
    return RunStarted(run_id=run_id(number), submitted=submitted)


def answered(number: int, output: str = "Hello!") -> RunAnswered:
    """The outcome of run ``number``."""
    return RunAnswered(
        run_id=run_id(number),
        output=output,
        task_type=TaskType.CHAT,
        score=91,
        result=result(output),
    )


def failed(number: int) -> RunFailed:
    """The other outcome of run ``number``."""
    return RunFailed(run_id=run_id(number), error=ErrorInfo(code="x", message="no"))


def whole_run(
    number: int, prompt: str = "Hi", output: str = "Hello!", session_id: str | None = None
) -> list[Event]:
    """All events of a run that was answered at the second attempt."""
    run = run_id(number)
    return [
        started(number, prompt, session_id),
        PromptAnalyzed(run_id=run, task_type=TaskType.CHAT, language="en"),
        AnswerGenerated(run_id=run, result=result("?", 5)),
        OutputValidated(run_id=run, score=20, verdict="retry"),
        AnswerGenerated(run_id=run, attempt=2, result=result(output)),
        OutputValidated(run_id=run, attempt=2, score=91, verdict="accept"),
        answered(number, output),
        RunSummarized(run_id=run, title=f"Title {number}", summary="A greeting.", total_tokens=17),
    ]


def stream(*runs: Sequence[Event], first_sequence: int = 1) -> list[JournalEntry]:
    """The runs one after the other, as a stream would hold them."""
    events = [event for events in runs for event in events]
    return [entry(event, index) for index, event in enumerate(events, start=first_sequence)]
