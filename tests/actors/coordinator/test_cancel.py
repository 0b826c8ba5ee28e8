"""Cancelling a run: at whatever stage it is, it ends once, and whoever works on it stops."""

import anyio
import pytest

from actors.actor import Step
from contracts.actor_kind import ActorKind
from contracts.errors import RunFinished
from contracts.event import RunAnswered, RunCancelled, StepEvent
from contracts.task import GenerateAnswer
from promptbus.settings import Settings
from tests.actors.coordinator.team import (
    SCRIPTED,
    ScriptedExecutor,
    Team,
    answer_to,
    at_the_bus,
    serving,
    team,
)

NAMED = {"model": SCRIPTED, "strategy": "standard"}


async def cancelled(found: Team, run_id: str) -> RunCancelled:
    """Cancel the run; its outcome."""
    await found.client.cancel(run_id, reason="not needed")
    outcome = await found.outcome(run_id)
    assert isinstance(outcome, RunCancelled)
    assert outcome.reason == "not needed"
    return outcome


@pytest.mark.parametrize(
    ("missing", "last", "step"),
    [
        (ActorKind.ANALYZER, "history/1", "analyzer/1"),
        (ActorKind.HISTORY, "analyzer/1", "history/1"),
        (ActorKind.MONITOR, "analyzer/1", "monitor/1"),
        (ActorKind.VALIDATOR, "executor/1", "validator/1"),
    ],
)
async def test_a_run_is_cancelled_at_the_step_it_waits_for(
    settings: Settings, missing: ActorKind, last: str, step: str
) -> None:
    async with team(settings, without=[missing]) as found:
        run_id = await found.submit(model="echo")
        await found.reached(run_id, last)
        outcome = await cancelled(found, run_id)
        await found.idle("PROMPTS")
        # Analyzer and history are asked side by side, and the one asked last is told.
        assert outcome.step == step or last in {"history/1", "analyzer/1"}
        assert step not in await found.steps(run_id)


async def test_a_generation_is_stopped(settings: Settings) -> None:
    begun, stopped = anyio.Event(), anyio.Event()

    async def dawdle(task: GenerateAnswer, step: Step) -> StepEvent:
        assert not step.cancelled
        step.on_cancel(stopped.set)
        begun.set()
        await stopped.wait()
        assert step.cancelled
        return answer_to(task, "what there is")

    async with team(settings, ScriptedExecutor(dawdle)) as found:
        run_id = await found.submit(**NAMED)
        with anyio.fail_after(20):
            await begun.wait()
            outcome = await cancelled(found, run_id)
            await stopped.wait()
        assert outcome.step == "executor/1"
        await found.reached(run_id, "executor/1")
        assert "validator/1" not in await found.steps(run_id)


async def test_a_run_is_cancelled_while_it_waits_for_its_next_attempt(settings: Settings) -> None:
    question = "What is the capital of France?"

    async def repeat(task: GenerateAnswer, _step: Step) -> StepEvent:
        return answer_to(task, question)

    executor = ScriptedExecutor(repeat)
    async with team(settings, executor) as found:
        run_id = await found.submit(question, **NAMED, max_attempts=10)
        await found.reached(run_id, "validator/2")
        await cancelled(found, run_id)
        assert len(executor.asked) < 10


async def test_a_run_that_waits_in_the_queue_is_cancelled_when_it_is_leased(
    settings: Settings,
) -> None:
    async with at_the_bus(settings) as found:
        run_id = await found.submit(model="echo")
        await found.client.cancel(run_id, reason="not needed")
        async with serving(found.process, ActorKind):
            outcome = await found.outcome(run_id)
            assert isinstance(outcome, RunCancelled)
            assert "executor/1" not in await found.steps(run_id)


async def test_an_answered_run_stays_answered(settings: Settings) -> None:
    async with team(settings, without=[ActorKind.SUMMARIZER]) as found:
        run_id = await found.submit(model="echo")
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunAnswered)
        with pytest.raises(RunFinished):
            await found.client.cancel(run_id)
        async with serving(found.process, [ActorKind.SUMMARIZER]):
            await found.reached(run_id, "summarizer/1")
        assert (await found.events(run_id))["outcome"] == outcome


async def test_a_generation_that_still_waits_is_not_begun(settings: Settings) -> None:
    """The executor is busy; the run ends before its turn comes."""
    free = anyio.Event()

    async def hold(task: GenerateAnswer, _step: Step) -> StepEvent:
        await free.wait()
        return answer_to(task)

    executor = ScriptedExecutor(hold)
    async with team(settings, executor) as found:
        busy = [await found.submit(**NAMED) for _ in range(8)]
        with anyio.fail_after(20):
            while len(executor.asked) < len(busy):
                await anyio.sleep(0.01)
        waiting = await found.submit(**NAMED)
        await found.reached(waiting, "analyzer/1")
        await anyio.sleep(0.1)
        await cancelled(found, waiting)
        free.set()
        for run_id in busy:
            assert isinstance(await found.outcome(run_id), RunAnswered)
        await found.idle()
        assert waiting not in {task.run_id for task in executor.asked}
        assert "executor/1" not in await found.steps(waiting)
