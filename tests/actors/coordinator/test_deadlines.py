"""A deadline ends a run at whatever stage it is, and the outcome tells which."""

import anyio
import pytest

from actors.actor import Step
from contracts.actor_kind import ActorKind
from contracts.event import RunAnswered, RunFailed, StepEvent
from contracts.prompt import Priority, SubmitPrompt
from contracts.task import GenerateAnswer
from promptbus.settings import Settings
from tests.actors.coordinator.team import (
    SCRIPTED,
    ScriptedExecutor,
    answer_to,
    at_the_bus,
    serving,
    team,
)

NAMED = {"model": SCRIPTED, "strategy": "standard"}


async def test_time_in_the_queue_counts_where_the_prompt_names_its_deadline(
    settings: Settings,
) -> None:
    async with at_the_bus(settings) as found:
        late = await found.submit(model="echo", deadline_s=0.2)
        patient = await found.submit(model="echo")
        await anyio.sleep(0.3)
        async with serving(found.process, ActorKind):
            outcome = await found.outcome(late)
            assert isinstance(outcome, RunFailed)
            assert (outcome.error.code, outcome.stage) == ("deadline_exceeded", "queued")
            assert isinstance(await found.outcome(patient), RunAnswered)


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        (ActorKind.ANALYZER, "analyzing"),
        (ActorKind.MONITOR, "deciding"),
        (ActorKind.VALIDATOR, "validating"),
    ],
)
async def test_a_step_that_nobody_does_ends_its_run_in_time(
    settings: Settings, missing: ActorKind, stage: str
) -> None:
    async with team(settings, without=[missing]) as found:
        run_id = await found.submit(model="echo", deadline_s=0.5)
        outcome = await found.outcome(run_id)
        if stage == "validating":
            # An answer that nobody judged is better than none.
            assert isinstance(outcome, RunAnswered | RunFailed)
            return
        assert isinstance(outcome, RunFailed)
        assert outcome.error.code == "deadline_exceeded"


@pytest.mark.parametrize("emits", [True, False])
async def test_a_generation_is_stopped_by_the_deadline_of_its_run(
    settings: Settings, emits: bool
) -> None:
    stopped = anyio.Event()

    async def dawdle(task: GenerateAnswer, step: Step) -> StepEvent:
        step.on_cancel(stopped.set)
        if emits:
            await step.emit("so far")
        await stopped.wait()
        return answer_to(task)

    async with team(settings, ScriptedExecutor(dawdle)) as found:
        run_id = await found.submit(**NAMED, deadline_s=0.6, max_attempts=1)
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunFailed)
        assert outcome.error.code == "deadline_exceeded"
        with anyio.fail_after(10):
            await stopped.wait()


async def test_interactive_prompts_pass_a_thousand_batch_ones(settings: Settings) -> None:
    num_batch, num_interactive = 1000, 5
    slow = settings.model_copy(update={"echo_pause_s": 0.02, "max_generations": 4})
    prompt = SubmitPrompt(prompt="hello", model="echo", strategy="standard", max_attempts=1)
    ended: list[str] = []
    async with at_the_bus(slow) as found:
        limiter = anyio.CapacityLimiter(50)

        async def submit() -> None:
            async with limiter:
                await found.client.submit(prompt, Priority.BATCH)

        async with anyio.create_task_group() as tasks:
            for _ in range(num_batch):
                tasks.start_soon(submit)
        forget = found.process.stored.on_end(ended.append)
        async with serving(found.process, ActorKind):
            with anyio.fail_after(20):
                while not ended:
                    await anyio.sleep(0.01)
            urgent = [
                await found.client.submit(prompt, Priority.INTERACTIVE)
                for _ in range(num_interactive)
            ]
            for run_id in urgent:
                await found.outcome(run_id)
        forget()
        assert max(ended.index(run_id) for run_id in urgent) < num_batch / 4
