"""Whole runs: the real actors on a real server, and what happens where one of them fails."""

import anyio
import pytest

from actors.actor import Step, failed_step
from contracts.actor_kind import ActorKind
from contracts.errors import DeadlineExceeded, InvalidInput
from contracts.event import (
    OutputValidated,
    RunAnswered,
    RunFailed,
    StepEvent,
)
from contracts.prompt import MAX_PROMPT_BYTES
from contracts.task import GenerateAnswer
from promptbus.settings import Settings
from tests.actors.coordinator.team import SCRIPTED, ScriptedExecutor, answer_to, team

NAMED = {"model": SCRIPTED, "strategy": "standard"}
REFUSED = "What is the capital of France?"


async def echo(task: GenerateAnswer, _step: Step) -> StepEvent:
    """Answer with what is asked."""
    return answer_to(task, task.messages[-1].content)


async def test_a_run_goes_through_all_actors_and_has_its_answer(settings: Settings) -> None:
    async with team(settings) as found:
        run_id = await found.submit("Say: hello", model="echo")
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunAnswered)
        assert (outcome.output, outcome.accepted, outcome.num_attempts) == ("Say: hello", True, 1)
        await found.reached(run_id, "summarizer/1")
        steps = await found.steps(run_id)
        assert steps[0] == "started"
        assert set(steps[1:3]) == {"analyzer/1", "history/1"}
        assert steps[3:] == ["monitor/1", "executor/1", "validator/1", "outcome", "summarizer/1"]
        await found.idle("PROMPTS")
        await found.idle()


async def test_the_monitor_is_not_asked_where_the_prompt_names_what_is_served(
    settings: Settings,
) -> None:
    async with team(settings, ScriptedExecutor(echo)) as found:
        run_id = await found.submit(**NAMED)
        assert isinstance(await found.outcome(run_id), RunAnswered)
        assert "monitor/1" not in await found.steps(run_id)


async def test_a_session_is_recalled_in_front_of_its_next_prompt(settings: Settings) -> None:
    executor = ScriptedExecutor(echo)
    async with team(settings, executor) as found:
        for prompt in ("Say: one", "Say: two"):
            run_id = await found.submit(prompt, **NAMED, session_id="s")
            await found.outcome(run_id)
        asked = executor.asked[-1]
        assert [turn.content for turn in asked.messages] == ["Say: one", "Say: one", "Say: two"]
        assert asked.num_recalled == 2


async def test_a_refused_answer_is_tried_again_as_the_validator_wants_it(
    settings: Settings,
) -> None:
    async def learn(task: GenerateAnswer, step: Step) -> StepEvent:
        return answer_to(task, "Paris.") if task.attempt > 1 else await echo(task, step)

    executor = ScriptedExecutor(learn)
    async with team(settings, executor) as found:
        run_id = await found.submit(REFUSED, **NAMED)
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunAnswered)
        assert (outcome.output, outcome.accepted, outcome.num_attempts) == ("Paris.", True, 2)
        first, second = executor.asked
        assert second.messages[0].content.startswith(first.messages[0].content + "\n")
        judged = (await found.events(run_id))["validator/1"]
        assert isinstance(judged, OutputValidated)
        assert judged.verdict == "retry"


async def test_the_best_answer_is_given_where_none_is_accepted(settings: Settings) -> None:
    async def repeat(task: GenerateAnswer, _step: Step) -> StepEvent:
        return answer_to(task, REFUSED)

    async with team(settings, ScriptedExecutor(repeat)) as found:
        outcome = await found.outcome(await found.submit(REFUSED, **NAMED, max_attempts=2))
        assert isinstance(outcome, RunAnswered)
        assert (outcome.accepted, outcome.num_attempts) == (False, 2)


@pytest.mark.parametrize(
    ("retryable", "num_attempts"), [pytest.param(True, 2, id="retryable"), (False, 1)]
)
async def test_a_run_whose_attempts_all_fail_has_failed(
    settings: Settings, retryable: bool, num_attempts: int
) -> None:
    error = (
        DeadlineExceeded(what="generation", deadline_s=1)
        if retryable
        else InvalidInput(field="prompt", reason="is too long")
    )

    async def fail(task: GenerateAnswer, _step: Step) -> StepEvent:
        return failed_step(task, error)

    executor = ScriptedExecutor(fail)
    async with team(settings, executor) as found:
        run_id = await found.submit(**NAMED, max_attempts=2)
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunFailed)
        assert (outcome.error, outcome.step) == (error.to_wire(), f"executor/{num_attempts}")
        assert [task.attempt for task in executor.asked] == [1, 2][:num_attempts]
        assert "validator/1" not in await found.steps(run_id)


async def test_an_attempt_after_a_failure_may_succeed(settings: Settings) -> None:
    async def recover(task: GenerateAnswer, step: Step) -> StepEvent:
        if task.attempt > 1:
            return await echo(task, step)
        late = DeadlineExceeded(what="generation", deadline_s=1)
        return failed_step(task, late)

    async with team(settings, ScriptedExecutor(recover)) as found:
        outcome = await found.outcome(await found.submit(**NAMED))
        assert isinstance(outcome, RunAnswered)
        assert outcome.num_attempts == 2


async def test_a_model_that_nobody_serves_fails_the_run_at_the_monitor(settings: Settings) -> None:
    async with team(settings) as found:
        outcome = await found.outcome(await found.submit(model="nobody's"))
        assert isinstance(outcome, RunFailed)
        assert (outcome.error.code, outcome.step) == ("unknown_model", "monitor/1")


@pytest.mark.parametrize("missing", [ActorKind.ANALYZER, ActorKind.VALIDATOR])
async def test_a_run_that_is_not_over_by_its_deadline_has_failed(
    settings: Settings, missing: ActorKind
) -> None:
    async with team(settings, without=[missing]) as found:
        run_id = await found.submit(model="echo", deadline_s=0.7)
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunFailed)
        assert outcome.error.code == "deadline_exceeded"
        await found.idle("PROMPTS")


async def test_work_that_the_deadline_ends_is_stopped(settings: Settings) -> None:
    stopped = anyio.Event()

    async def dawdle(task: GenerateAnswer, step: Step) -> StepEvent:
        step.on_cancel(stopped.set)
        await stopped.wait()
        return answer_to(task)

    async with team(settings, ScriptedExecutor(dawdle)) as found:
        outcome = await found.outcome(await found.submit(**NAMED, deadline_s=2.0))
        assert isinstance(outcome, RunFailed)
        with anyio.fail_after(20):
            await stopped.wait()


async def test_texts_too_large_for_one_message_are_answered_all_the_same(
    settings: Settings,
) -> None:
    """Prompt and answer travel together to the validator, and quotes count twice in JSON."""
    async with team(settings) as found:
        quotes = 'say "' + '"' * (MAX_PROMPT_BYTES - 9)
        run_id = await found.submit(quotes, model="echo", max_attempts=1)
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunAnswered)
        assert outcome.output == quotes
        await found.reached(run_id, "summarizer/1")


async def test_many_runs_at_a_time_each_have_their_own_answer(settings: Settings) -> None:
    async with team(settings) as found:
        prompts = {await found.submit(f"Say: {n}", model="echo"): f"Say: {n}" for n in range(40)}
        for run_id, prompt in prompts.items():
            outcome = await found.outcome(run_id)
            assert isinstance(outcome, RunAnswered)
            assert outcome.output == prompt
