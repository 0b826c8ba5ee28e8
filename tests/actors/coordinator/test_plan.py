"""The tasks and the outcome that follow from what the graph knows."""

import pytest
from hypothesis import given

from actors.coordinator.plan import (
    expected_language,
    plan_decision,
    plan_outcome,
    plan_summary,
    plan_validation,
)
from actors.coordinator.run_state import RunState
from contracts.event import (
    AnswerGenerated,
    FoundWishes,
    PromptAnalyzed,
    RunAnswered,
    RunFailed,
    StepFailed,
)
from contracts.prompt import Priority, ResponseFormat, TaskType
from contracts.task import StepTotals
from tests.actors.coordinator.states import (
    PERMANENT,
    RUN_ID,
    accepted,
    answer,
    attempts,
    failure,
    refused,
    state,
    states,
)


def analysis(task_type: TaskType = TaskType.CHAT, **fields: object) -> PromptAnalyzed:
    """What the analyzer said."""
    return PromptAnalyzed.model_validate(
        {"run_id": RUN_ID, "task_type": task_type, "language": "es", **fields}
    )


def test_the_monitor_is_told_what_is_wished_and_what_was_analyzed() -> None:
    analyzed = analysis(TaskType.CODE, difficulty="high", num_tokens=9)
    found = state(model="m1", strategy="streaming", analysis=analyzed, priority=Priority.BATCH)
    task = plan_decision(RUN_ID, found)
    assert (task.model, task.strategy, task.priority) == ("m1", "streaming", Priority.BATCH)
    assert (task.task_type, task.difficulty, task.num_tokens) == (TaskType.CODE, "high", 9)


def test_the_validator_is_asked_about_the_latest_answer() -> None:
    wanted = ResponseFormat(type="json_object")
    tried = attempts((answer(output="a"), refused()), (answer(output="b", cut_after=3), accepted()))
    task = plan_validation(RUN_ID, state(**tried, response_format=wanted))
    assert (task.attempt, task.output, task.finish_reason) == (2, "b", "length")
    assert (task.prompt, task.response_format) == ("Capital of France?", wanted)
    assert (task.task_type, task.language) == (TaskType.QUESTION, "en")


def test_a_failure_has_nothing_to_validate() -> None:
    with pytest.raises(TypeError):
        plan_validation(RUN_ID, state(generations=[failure()]))


@pytest.mark.parametrize(
    ("analyzed", "language"),
    [
        (analysis(), "es"),
        (analysis(language_known=False), None),
        (analysis(TaskType.TRANSLATE), None),
        (analysis(wishes=FoundWishes(answer_language="fr")), "fr"),
        (analysis(TaskType.TRANSLATE, wishes=FoundWishes(answer_language="fr")), "fr"),
    ],
)
def test_the_language_of_the_answer_follows_the_prompt(
    analyzed: PromptAnalyzed, language: str | None
) -> None:
    assert expected_language(state(analysis=analyzed)) == language


def test_the_best_answer_is_the_outcome_even_if_none_was_accepted() -> None:
    tried = attempts((answer(output="a"), refused(30)), (answer(output="b"), refused(20)))
    found = plan_outcome(RUN_ID, state(**tried))
    assert isinstance(found, RunAnswered)
    assert (found.output, found.score, found.accepted, found.num_attempts) == ("a", 30, False, 2)


def test_an_accepted_answer_is_told_as_such() -> None:
    found = plan_outcome(RUN_ID, state(**attempts((failure(), None), (answer(), accepted(80)))))
    assert isinstance(found, RunAnswered)
    assert (found.score, found.accepted, found.num_attempts) == (80, True, 2)


def test_an_answer_that_nobody_could_judge_is_given_as_unaccepted() -> None:
    found = plan_outcome(RUN_ID, state(**attempts((answer(), failure()))))
    assert isinstance(found, RunAnswered)
    assert (found.score, found.accepted) == (0, False)


def test_where_every_attempt_failed_the_last_failure_is_the_outcome() -> None:
    tried = attempts((failure(), None), (failure(PERMANENT, attempt=2), None))
    found = plan_outcome(RUN_ID, state(**tried))
    assert isinstance(found, RunFailed)
    assert (found.error, found.step) == (PERMANENT.to_wire(), "executor/2")


@given(states(min_attempts=1))
def test_every_run_has_an_outcome_and_a_summary(found: RunState) -> None:
    outcome = plan_outcome(RUN_ID, found)
    answered = any(isinstance(g, AnswerGenerated) for g in found["generations"])
    assert isinstance(outcome, RunAnswered if answered else RunFailed)
    totals = (StepTotals(step="analyzer/1", duration_ms=1),)
    task = plan_summary(RUN_ID, totals, found)
    used = [g.result.usage for g in found["generations"] if not isinstance(g, StepFailed)]
    assert task.total_tokens == sum(usage.total_tokens for usage in used)
    assert task.steps == totals
    if isinstance(outcome, RunAnswered):
        assert task.output == outcome.output
