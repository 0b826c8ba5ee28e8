"""The tasks and the outcome that follow from what the graph knows; pure."""

from actors.coordinator.attempt import best_attempt
from actors.coordinator.run_state import RunState
from contracts.errors import Unexpected
from contracts.event import Outcome, RunAnswered, RunFailed, StepFailed
from contracts.prompt import TaskType
from contracts.task import DecideResources, StepTotals, SummarizeRun, ValidateOutput


def plan_decision(run_id: str, state: RunState) -> DecideResources:
    """What the monitor is asked."""
    submitted, analysis = state["submitted"], state["analysis"]
    return DecideResources(
        run_id=run_id,
        task_type=analysis.task_type,
        difficulty=analysis.difficulty,
        num_tokens=analysis.num_tokens,
        model=submitted.model,
        strategy=submitted.strategy,
        priority=state["priority"],
        local_only=submitted.local_only,
    )


def plan_validation(run_id: str, state: RunState) -> ValidateOutput:
    """What the validator is asked about the latest answer."""
    latest = state["generations"][-1]
    if isinstance(latest, StepFailed):
        raise TypeError("there is no answer to validate")
    analysis = state["analysis"]
    return ValidateOutput(
        run_id=run_id,
        attempt=len(state["generations"]),
        prompt=state["submitted"].text,
        output=latest.result.output,
        finish_reason=latest.result.finish_reason,
        response_format=state["submitted"].response_format,
        task_type=analysis.task_type,
        language=expected_language(state),
    )


def expected_language(state: RunState) -> str | None:
    """The language the answer should be in, where that can be told."""
    analysis = state["analysis"]
    if analysis.wishes.answer_language is not None:
        return analysis.wishes.answer_language
    if analysis.task_type is TaskType.TRANSLATE or not analysis.language_known:
        return None
    return analysis.language


def plan_outcome(run_id: str, state: RunState) -> Outcome:
    """The final event: the best answer there is, else the last failure."""
    best = best_attempt(state)
    if best is None:
        return _failure(run_id, state)
    generated, judged = best
    return RunAnswered(
        run_id=run_id,
        output=generated.result.output,
        task_type=state["analysis"].task_type,
        score=judged.score if judged else 0,
        accepted=judged is not None and judged.verdict == "accept",
        num_attempts=len(state["generations"]),
        result=generated.result,
    )


def plan_summary(run_id: str, steps: tuple[StepTotals, ...], state: RunState) -> SummarizeRun:
    """What the summarizer is asked."""
    best = best_attempt(state)
    return SummarizeRun(
        run_id=run_id,
        prompt=state["submitted"].text,
        output=best[0].result.output if best else "",
        language=state["analysis"].language,
        local_only=state["submitted"].local_only,
        total_tokens=sum(
            generated.result.usage.total_tokens
            for generated in state["generations"]
            if not isinstance(generated, StepFailed)
        ),
        steps=steps,
    )


def _failure(run_id: str, state: RunState) -> RunFailed:
    latest = state["generations"][-1]
    if isinstance(latest, StepFailed):
        return RunFailed(run_id=run_id, error=latest.error, step=f"{latest.actor}/{latest.attempt}")
    raise Unexpected(ValueError("the latest attempt has an answer"))
