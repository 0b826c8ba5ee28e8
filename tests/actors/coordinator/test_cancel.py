"""Cancelling a run: at whatever stage it is, it ends once, and whoever works on it stops."""

from collections import Counter
from contextlib import suppress

import anyio
import pytest

from actors.actor import Step
from contracts.actor_kind import ActorKind
from contracts.errors import RunFinished
from contracts.event import CancelRequested, RunAnswered, RunCancelled, StepEvent
from contracts.prompt import SubmitPrompt
from contracts.task import GenerateAnswer
from contracts.waiting import WaitCause, WaitNote
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
    ("missing", "last", "step", "stage"),
    [
        (ActorKind.ANALYZER, "history/1", "analyzer/1", "analyzing"),
        (ActorKind.HISTORY, "analyzer/1", "history/1", "recalling"),
        (ActorKind.MONITOR, "history/1", "monitor/1", "deciding"),
        (ActorKind.VALIDATOR, "executor/1", "validator/1", "validating"),
    ],
)
async def test_a_run_is_cancelled_at_the_step_it_waits_for(
    settings: Settings, missing: ActorKind, last: str, step: str, stage: str
) -> None:
    async with team(settings, without=[missing]) as found:
        run_id = await found.submit(model="echo")
        await found.reached(run_id, last)
        outcome = await cancelled(found, run_id)
        await found.idle("PROMPTS")
        # Analyzer and history are asked side by side, and the one asked last is told.
        assert outcome.stage in {stage, "recalling" if stage == "analyzing" else stage}
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


async def test_a_run_that_waits_in_the_queue_ends_at_once_and_is_never_led(
    settings: Settings,
) -> None:
    async with at_the_bus(settings) as found:
        run_id = await found.client.submit(SubmitPrompt(prompt="Say: hello", model="echo"))
        await found.client.cancel(run_id, reason="not needed")
        events = await found.events(run_id)
        outcome = events["outcome"]
        assert isinstance(outcome, RunCancelled)
        assert (outcome.stage, outcome.reason) == ("queued", "not needed")
        async with serving(found.process, ActorKind):
            await found.idle("PROMPTS")
        assert await found.events(run_id) == events
        view = await found.client.view(run_id)
        assert (view.state, view.stage, view.prompt) == ("cancelled", "queued", "Say: hello")


async def test_whoever_publishes_the_wish_itself_is_heard_when_the_run_is_leased(
    settings: Settings,
) -> None:
    async with at_the_bus(settings) as found:
        run_id = await found.submit(model="echo")
        wish = CancelRequested(run_id=run_id, reason="not needed")
        await found.client.journal.write(f"runs.{run_id}.cancel", wish)
        async with serving(found.process, ActorKind):
            assert isinstance(await found.outcome(run_id), RunCancelled)
            assert "executor/1" not in await found.steps(run_id)


async def test_a_run_that_nobody_can_serve_was_waiting(settings: Settings) -> None:
    async with team(settings, kinds=[ActorKind.COORDINATOR, ActorKind.ANALYZER]) as found:
        async with serving(found.process, [ActorKind.HISTORY, ActorKind.MONITOR]):
            run_id = await found.submit(model="echo")
            await found.reached(run_id, "history/1")
            await anyio.sleep(0.2)
            outcome = await cancelled(found, run_id)
            assert outcome.stage in {"waiting", "deciding"}


@pytest.mark.parametrize("stage", ["waiting", "prefilling", "decoding"])
async def test_the_outcome_tells_how_far_the_generation_was(settings: Settings, stage: str) -> None:
    begun = anyio.Event()

    async def play(task: GenerateAnswer, step: Step) -> StepEvent:
        stopped = anyio.Event()
        step.on_cancel(stopped.set)
        if stage == "waiting":
            await step.report_wait(
                WaitNote(model=SCRIPTED, cause=WaitCause.LOADING, message="loading")
            )
        if stage == "decoding":
            await step.emit("so far")
            await step.finish()
        begun.set()
        await stopped.wait()
        return answer_to(task, "so far")

    async with team(settings, ScriptedExecutor(play)) as found:
        run_id = await found.submit(**NAMED)
        with anyio.fail_after(20):
            await begun.wait()
        await anyio.sleep(0.05)
        outcome = await cancelled(found, run_id)
        assert (outcome.step, outcome.stage) == ("executor/1", stage)


async def test_a_cancel_that_races_the_end_gives_one_outcome(settings: Settings) -> None:
    ends: Counter[str] = Counter()

    async def race(number: int) -> None:
        run_id = await found.submit(f"Say: {number}", model="echo", max_attempts=1)
        if number % 2:
            await found.reached(run_id, "validator/1")
        await anyio.sleep(0.002 * number)
        with suppress(RunFinished):
            await found.client.cancel(run_id)
        outcome = await found.outcome(run_id)
        ends[outcome.state] += 1
        await anyio.sleep(0.2)
        assert (await found.events(run_id))["outcome"] == outcome

    async with team(settings) as found:
        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(race, number)
        await found.idle("PROMPTS")
    assert ends.total() == 60
    assert set(ends) == {"answered", "cancelled"}


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
