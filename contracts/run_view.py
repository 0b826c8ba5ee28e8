"""A run as people see it, computed from its journal alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from contracts.errors import ErrorInfo
from contracts.event import (
    AnswerGenerated,
    Finding,
    Outcome,
    OutputValidated,
    PromptAnalyzed,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    RunState,
    RunSummarized,
    StepFailed,
)
from contracts.flow import Flow, build_flow, with_details
from contracts.journal_entry import JournalEntry
from contracts.message import Message
from contracts.prompt import TaskType
from contracts.run_spans import run_spans
from contracts.waiting import WaitReport


class RunView(Message):
    """Everything a client usually wants to know about a run.

    ``waiting`` is what a run that has no outcome was last known to wait for, and ``standing`` says
    in one sentence where it is, since when, and why. ``stage`` is where one that has failed or was
    cancelled was then.
    """

    run_id: str
    state: RunState
    prompt: str = ""
    output: str | None = None
    task_type: TaskType | None = None
    language: str | None = None
    selected_model: str | None = None
    score: int | None = None
    accepted: bool | None = None
    findings: tuple[Finding, ...] = ()
    execution_metrics: dict[str, Any] = Field(default_factory=dict)
    flow: Flow = Flow()
    title: str | None = None
    summary: str | None = None
    error: ErrorInfo | None = None
    reason: str | None = None
    stage: str | None = None
    session_id: str | None = None
    replay_of: str | None = None
    trace_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    total_time_ms: float | None = None
    waiting: WaitReport | None = None
    standing: str | None = None


def build_run_view(run_id: str, journal: Sequence[JournalEntry]) -> RunView:
    """The view of run ``run_id`` from its events in order; pure."""
    fields: dict[str, Any] = {"run_id": run_id, "state": "running" if journal else "queued"}
    for entry in journal:
        fields |= _fields_of(entry)
    if journal and fields["state"] == "running" and "started_at" not in fields:
        fields["state"] = _state_without_coordinator(journal)
    started, ended = fields.get("started_at"), fields.get("ended_at")
    if started is not None and ended is not None:
        fields["total_time_ms"] = round((ended - started).total_seconds() * 1000, 3)
    flow = with_details(build_flow(run_spans(run_id, journal)), journal)
    return RunView(**fields, flow=flow)


def _fields_of(entry: JournalEntry) -> dict[str, Any]:
    event = entry.event
    if isinstance(event, Outcome):
        return {"state": event.state, "ended_at": entry.stored_at, **_outcome_fields(event)}
    match event:
        case RunStarted():
            return {
                "prompt": event.submitted.text,
                "session_id": event.submitted.session_id,
                "replay_of": event.submitted.replay_of,
                "trace_id": event.trace_id,
                "started_at": entry.stored_at,
            }
        case PromptAnalyzed():
            return {"task_type": event.task_type, "language": event.language}
        case AnswerGenerated():
            return _result_fields(event)
        case OutputValidated():
            return {"score": event.score, "findings": event.findings}
        case RunSummarized():
            return {"title": event.title, "summary": event.summary}
        case _:
            return {}


def _state_without_coordinator(journal: Sequence[JournalEntry]) -> RunState:
    """A direct generation has no outcome; its one step says how it ended."""
    event = journal[-1].event
    if isinstance(event, AnswerGenerated):
        return "answered"
    return "failed" if isinstance(event, StepFailed) else "queued"


def _result_fields(event: AnswerGenerated | RunAnswered) -> dict[str, Any]:
    return {
        "selected_model": event.result.model,
        "execution_metrics": event.result.execution_metrics(),
    }


def _outcome_fields(event: Outcome) -> dict[str, Any]:
    match event:
        case RunAnswered():
            return {
                "output": event.output,
                "accepted": event.accepted,
                "score": event.score,
                **_result_fields(event),
            }
        case RunFailed():
            return {"error": event.error, "stage": event.stage}
        case RunCancelled():
            return {"reason": event.reason or None, "stage": event.stage}
        case _:
            return {}
