"""Journals as a run leaves them, written without anybody running it."""

from bus.journal import Journal
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import (
    AnswerGenerated,
    Event,
    HistoryRecalled,
    OutputValidated,
    PromptAnalyzed,
    RunAnswered,
    RunStarted,
    RunSummarized,
)
from contracts.generation import GenerationResult, Usage
from contracts.prompt import SubmitPrompt, TaskType
from contracts.run_id import new_run_id


async def write_tried_run(journal: Journal, *, num_attempts: int) -> str:
    """A run that was answered at its last of ``num_attempts``; its id."""
    run_id = new_run_id()
    await journal.write(subjects.run_event(run_id, subjects.STARTED), _started(run_id, "Try"))
    first: tuple[Event, ...] = (
        PromptAnalyzed(run_id=run_id, task_type=TaskType.CHAT, language="en"),
        HistoryRecalled(run_id=run_id),
    )
    for event, kind in zip(first, (ActorKind.ANALYZER, ActorKind.HISTORY), strict=True):
        await journal.write(subjects.step_event(run_id, kind, 1), event)
    for attempt in range(1, num_attempts + 1):
        verdict = "accept" if attempt == num_attempts else "retry"
        generated = AnswerGenerated(
            run_id=run_id, attempt=attempt, duration_ms=2.0, result=_result(f"answer {attempt}")
        )
        judged = OutputValidated.model_validate(
            {"run_id": run_id, "attempt": attempt, "score": 50, "verdict": verdict}
        )
        await journal.write(subjects.step_event(run_id, ActorKind.EXECUTOR, attempt), generated)
        await journal.write(subjects.step_event(run_id, ActorKind.VALIDATOR, attempt), judged)
    await _finish(journal, run_id, f"answer {num_attempts}", "Tried often")
    return run_id


async def write_answered_runs(journal: Journal, prompts: list[str]) -> None:
    """Runs that only began and were answered."""
    for prompt in prompts:
        run_id = new_run_id()
        await journal.write(subjects.run_event(run_id, subjects.STARTED), _started(run_id, prompt))
        await _finish(journal, run_id, "yes", prompt)


async def _finish(journal: Journal, run_id: str, output: str, title: str) -> None:
    outcome = RunAnswered(
        run_id=run_id, output=output, task_type=TaskType.CHAT, score=90, result=_result(output)
    )
    await journal.write(subjects.run_event(run_id, subjects.OUTCOME), outcome)
    summary = RunSummarized(run_id=run_id, title=title, summary=output)
    await journal.write(subjects.step_event(run_id, ActorKind.SUMMARIZER, 1), summary)


def _started(run_id: str, prompt: str) -> RunStarted:
    return RunStarted(run_id=run_id, submitted=SubmitPrompt(run_id=run_id, prompt=prompt))


def _result(output: str) -> GenerationResult:
    return GenerationResult(
        output=output,
        model="echo",
        strategy="standard",
        provider="echo",
        source="local",
        finish_reason="stop",
        first_token_ms=0.5,
        inference_time_ms=1.5,
        total_time_ms=2.0,
        usage=Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3),
    )
