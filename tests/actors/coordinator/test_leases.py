"""Leases: whoever leads a run, and however often it is led, it has one journal and one outcome."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from actors.actor import Step
from actors.coordinator import Coordinator, WaitFacts, WaitReporter
from actors.coordinator.coordinator import MAX_ACQUITTALS
from actors.retry_policy import POLICIES
from bus.attempt_board import AttemptBoard
from bus.pull_worker import Delivery
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import RunAnswered, RunFailed, RunStarted, StepEvent
from contracts.placement import HostPlacement
from contracts.prompt import SubmitPrompt
from contracts.run_id import derive_run_id, new_run_id
from contracts.task import GenerateAnswer
from promptbus.process import Process, open_process
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
from tests.bus.test_attempt_board import died

AT_S = 1_700_000_000.0
MAX_DEATHS = POLICIES[ActorKind.COORDINATOR].num_deaths


def delivery_of(prompt: SubmitPrompt, num_delivered: int = 1) -> Delivery:
    """The prompt as a pull worker hands it on."""
    return Delivery("prompts.normal", {}, prompt.encode(), num_delivered, 7, AT_S)


def coordinator_of(process: Process) -> Coordinator:
    """A coordinator that is handed its prompts by the test."""

    async def served() -> frozenset[str]:
        return frozenset({SCRIPTED, "echo"})

    async def nothing_placed() -> tuple[HostPlacement, ...]:
        return ()

    return Coordinator(
        connection=process.connection,
        journal=process.journal,
        publisher=process.publisher,
        stored=process.stored,
        served=served,
        waits=WaitReporter(
            process.connection,
            WaitFacts(process.connection, process.board.hosts, nothing_placed).read,
        ),
    )


@asynccontextmanager
async def without_coordinator(settings: Settings) -> AsyncIterator[Team]:
    """All actors but the coordinator."""
    async with team(settings, without=[ActorKind.COORDINATOR]) as found:
        yield found


async def test_a_run_that_passes_to_another_coordinator_repeats_no_step(
    settings: Settings,
) -> None:
    async def answer(task: GenerateAnswer, _step: Step) -> StepEvent:
        return answer_to(task)

    executor = ScriptedExecutor(answer)
    elsewhere = [ActorKind.COORDINATOR, ActorKind.VALIDATOR]
    async with team(settings, executor, without=elsewhere) as found:
        run_id = await found.submit(model=SCRIPTED)
        async with open_process(settings, "first") as first:
            async with anyio.create_task_group() as tasks:
                await tasks.start(_serve_coordinator, first)
                await found.reached(run_id, "executor/1")
                tasks.cancel_scope.cancel()
        async with open_process(settings, "second") as second:
            async with serving(second, elsewhere):
                assert isinstance(await found.outcome(run_id), RunAnswered)
                await found.idle("PROMPTS")
        assert len(executor.asked) == 1
        assert (await found.steps(run_id))[-1] == "summarizer/1"


async def _serve_coordinator(process: Process, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    async with serving(process, [ActorKind.COORDINATOR]):
        task_status.started()
        await anyio.sleep_forever()


async def test_a_lease_that_nobody_renews_passes_on(settings: Settings) -> None:
    hasty = settings.model_copy(update={"lease_s": 1.0})
    async with at_the_bus(hasty) as found:
        run_id = await found.submit(model="echo")
        consumer = await found.process.connection.jetstream.pull_subscribe_bind(
            "coordinator-normal", stream="PROMPTS"
        )
        assert len(await consumer.fetch(1)) == 1
        async with serving(found.process, ActorKind):
            assert isinstance(await found.outcome(run_id), RunAnswered)


async def test_two_that_lead_the_same_run_at_once_write_one_journal(settings: Settings) -> None:
    async with without_coordinator(settings) as found, open_process(settings, "other") as other:
        run_ids = [new_run_id() for _ in range(8)]
        async with anyio.create_task_group() as tasks:
            for run_id in run_ids:
                prompt = SubmitPrompt(prompt="Say: hello", model="echo", run_id=run_id)
                for process in (found.process, other):
                    tasks.start_soon(coordinator_of(process).lead, delivery_of(prompt))
        for run_id in run_ids:
            steps = await found.steps(run_id)
            assert steps.count("outcome") == 1
            assert sorted(set(steps)) == sorted(steps)
            assert "executor/2" not in steps


async def test_leading_a_finished_run_again_changes_nothing(settings: Settings) -> None:
    async with without_coordinator(settings) as found:
        prompt = SubmitPrompt(prompt="Say: hello", model="echo", run_id=new_run_id())
        await coordinator_of(found.process).lead(delivery_of(prompt))
        before = await found.client.journal.read(str(prompt.run_id))
        await coordinator_of(found.process).lead(delivery_of(prompt, 2))
        assert await found.client.journal.read(str(prompt.run_id)) == before


async def test_an_answered_run_without_summary_is_led_to_its_summary(settings: Settings) -> None:
    prompt = SubmitPrompt(prompt="Say: hello", model="echo", run_id=new_run_id())
    run_id = str(prompt.run_id)
    async with at_the_bus(settings) as found:
        kinds = set(ActorKind) - {ActorKind.COORDINATOR, ActorKind.SUMMARIZER}
        async with serving(found.process, kinds), anyio.create_task_group() as tasks:
            tasks.start_soon(coordinator_of(found.process).lead, delivery_of(prompt))
            outcome = await found.outcome(run_id)
            tasks.cancel_scope.cancel()
        async with serving(found.process, [ActorKind.SUMMARIZER]):
            await coordinator_of(found.process).lead(delivery_of(prompt, 2))
        events = await found.events(run_id)
        assert events["outcome"] == outcome
        assert "summarizer/1" in events


@pytest.mark.parametrize("num_deaths", [MAX_DEATHS - 1, MAX_DEATHS])
async def test_a_run_that_nobody_survives_leading_is_poison(
    settings: Settings, num_deaths: int
) -> None:
    prompt = SubmitPrompt(prompt="Say: hello", model="echo", run_id=new_run_id())
    run_id = str(prompt.run_id)
    async with without_coordinator(settings) as found:
        board = AttemptBoard(found.process.connection, found.process.publisher)
        for num_delivered in range(1, num_deaths + 1):
            await died(board, run_id, num_delivered)
        await coordinator_of(found.process).lead(delivery_of(prompt, num_deaths + 1))
        outcome = await found.outcome(run_id)
        if num_deaths < MAX_DEATHS:
            assert isinstance(outcome, RunAnswered)
            return
        assert isinstance(outcome, RunFailed)
        assert (outcome.error.code, outcome.error.retryable) == ("poison", False)
        (letter,) = await found.dead_letters(ActorKind.COORDINATOR)
        assert (letter.run_id, letter.error) == (run_id, outcome.error)


async def test_a_run_that_is_handed_on_in_order_is_no_poison(settings: Settings) -> None:
    prompt = SubmitPrompt(prompt="Say: hello", model="echo", run_id=new_run_id())
    run_id = str(prompt.run_id)
    async with at_the_bus(settings) as found:
        coordinator = coordinator_of(found.process)
        for num_delivered in range(1, MAX_DEATHS + 3):
            with anyio.move_on_after(0.05):
                await coordinator.lead(delivery_of(prompt, num_delivered))
        async with serving(found.process, set(ActorKind) - {ActorKind.COORDINATOR}):
            await coordinator.lead(delivery_of(prompt, MAX_DEATHS + 3))
        assert isinstance(await found.outcome(run_id), RunAnswered)


async def test_a_run_that_ends_its_coordinators_late_is_poison_too(settings: Settings) -> None:
    prompt = SubmitPrompt(prompt="Say: hello", run_id=new_run_id())
    run_id = str(prompt.run_id)
    async with at_the_bus(settings) as found:
        board = AttemptBoard(found.process.connection, found.process.publisher)
        for num_delivered in range(2, MAX_ACQUITTALS + 2):
            before = await board.read(run_id, num_delivered)
            async with board.begin(run_id, before, num_delivered) as attempt:
                await board.acquit(attempt, MAX_DEATHS // 2)
        await coordinator_of(found.process).lead(delivery_of(prompt, MAX_ACQUITTALS + 2))
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunFailed)
        assert outcome.error.code == "poison"


async def test_a_prompt_without_run_id_has_one_by_its_place_in_the_queue(
    settings: Settings,
) -> None:
    async with without_coordinator(settings) as found:
        prompt = SubmitPrompt(prompt="Say: hello", model="echo")
        for num_delivered in (1, 2):
            await coordinator_of(found.process).lead(delivery_of(prompt, num_delivered))
        run_id = derive_run_id(int(AT_S * 1000), "prompts.normal", "7")
        assert isinstance(await found.outcome(run_id), RunAnswered)
        assert (await found.steps(run_id)).count("started") == 1


async def test_a_plain_client_that_names_no_run_is_answered(settings: Settings) -> None:
    async with team(settings) as found:
        ended: list[str] = []
        forget = found.process.stored.on_end(ended.append)
        await found.submit_raw({"prompt": "Say: hello", "model": "echo"})
        with anyio.fail_after(20):
            while not ended:
                await anyio.sleep(0.01)
        forget()
        outcome = await found.outcome(ended[0])
        assert isinstance(outcome, RunAnswered)
        assert outcome.output == "Say: hello"


@pytest.mark.parametrize("field", ["mood", "api_version", ""])
async def test_a_prompt_of_a_newer_release_is_accepted(settings: Settings, field: str) -> None:
    run_id = new_run_id()
    async with team(settings) as found:
        await found.submit_raw(
            {"prompt": "Say: hello", "model": "echo", "run_id": run_id, field: {"a": [1]}}
        )
        assert isinstance(await found.outcome(run_id), RunAnswered)
        started = (await found.events(run_id))["started"]
        assert isinstance(started, RunStarted)
        assert started.submitted.prompt == "Say: hello"


async def test_a_prompt_submitted_twice_is_one_run(settings: Settings) -> None:
    run_id = new_run_id()
    async with team(settings) as found:
        for priority in ("normal", "batch"):
            data = SubmitPrompt(prompt="Say: hello", model="echo", run_id=run_id).encode()
            await found.process.connection.jetstream.publish(f"prompts.{priority}", data)
        assert isinstance(await found.outcome(run_id), RunAnswered)
        await found.idle("PROMPTS")
        assert subjects.OUTCOME in await found.steps(run_id)
