"""Models find their hosts: several executors on one bus, each with a budget of its own."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from actors.monitor import Placer
from bus.placement_board import PlacementBoard
from bus.presence_board import PresenceBoard
from bus.task_queues import TaskQueues
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import RemoteError
from contracts.event import RunAnswered, StepFailed
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.actor_process import ActorProcess
from promptbus.bootstrap import LIGHT_KINDS
from promptbus.nats_server import NatsServer
from promptbus.settings import Settings
from tests.promptbus.executors import (
    Town,
    executor_settings,
    save_models,
    serving,
    size_of_one,
    town,
)

EXECUTOR = (ActorKind.EXECUTOR,)


@pytest.fixture(scope="module")
def models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small models; not to be changed."""
    return save_models(tmp_path_factory.mktemp("models"))


@asynccontextmanager
async def hosts(settings: Settings, models_file: Path, **room: float) -> AsyncIterator[Town]:
    """A town with executors that have room for so many models each."""
    size = await size_of_one(settings, models_file)
    async with town(settings) as found, AsyncExitStack() as stack:
        for name, share in room.items():
            mine = executor_settings(settings, models_file, name, int(size * share))
            await stack.enter_async_context(serving(mine, name, EXECUTOR))
        await found.until_present(*room)
        yield found


async def test_a_model_lands_on_the_host_that_has_room_for_it(
    settings: Settings, models_file: Path
) -> None:
    async with hosts(settings, models_file, narrow=0.5, roomy=1.5) as found:
        assert await found.placed() == {"narrow": [], "roomy": []}
        run_id = await found.generate("one")
        assert await found.placed() == {"narrow": [], "roomy": ["one"]}
        assert await found.writer(run_id) == "roomy"
        # Nothing to place where nothing is to be loaded: any host answers.
        await found.generate("echo", max_tokens=2)
        assert await found.placed() == {"narrow": [], "roomy": ["one"]}


async def test_a_model_that_fits_nowhere_is_refused_with_what_each_host_lacks(
    settings: Settings, models_file: Path
) -> None:
    async with hosts(settings, models_file, a=0.3, b=0.5) as found:
        with pytest.raises(RemoteError) as caught:
            await found.generate("one")
        error = caught.value.to_wire()
        assert (error.code, error.status) == ("does_not_fit", 503)
        assert "a lacks" in error.message
        assert "b lacks" in error.message
        assert await found.placed() == {"a": [], "b": []}


async def test_what_waits_for_a_host_that_is_gone_for_good_and_fits_no_other_is_refused(
    settings: Settings, models_file: Path
) -> None:
    size = await size_of_one(settings, models_file)
    roomy = executor_settings(settings, models_file, "roomy", int(size * 1.5))
    async with hosts(settings, models_file, narrow=0.5) as found:
        async with serving(roomy, "roomy", EXECUTOR):
            await found.until_present("narrow", "roomy")
            await found.generate("one")
        task = GenerateAnswer(run_id=new_run_id(), model="one", prompt="the fox")
        queue = subjects.executor_tasks("one", task.priority)
        await found.process.publisher.publish(queue, task)
        await found.until_present("narrow")
        # The host may come back: as long as its placement stands the task waits for it.
        await anyio.sleep(1.5)
        assert await found.client.journal.read(task.run_id) == []
        placed = await found.placements.read_one("roomy")
        assert placed is not None
        await found.placements.forget("roomy", placed.revision)
        with anyio.fail_after(30):
            while not (journal := await found.client.journal.read(task.run_id)):
                await anyio.sleep(0.05)
        (event,) = [entry.event for entry in journal]
        assert isinstance(event, StepFailed)
        assert event.error.code == "does_not_fit"
        assert "narrow lacks" in event.error.message


async def test_both_hosts_work_when_the_queue_is_long(
    settings: Settings, models_file: Path
) -> None:
    async with hosts(settings, models_file, a=1.5, b=1.5) as found:
        run_ids: list[str] = []

        async def generate() -> None:
            run_ids.append(await found.generate("one", max_tokens=100))

        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(generate)
        assert await found.placed() == {"a": ["one"], "b": ["one"]}
        assert {await found.writer(run_id) for run_id in run_ids} == {"a", "b"}


async def test_two_models_with_room_for_one_take_turns(
    settings: Settings, models_file: Path
) -> None:
    async with hosts(settings, models_file, a=1.5) as found:
        async with anyio.create_task_group() as tasks:
            for model in ("one", "two") * 2:
                tasks.start_soon(found.generate, model)
        assert (await found.placed())["a"] in (["one"], ["two"], ["one", "two"])
        for model in ("one", "two"):
            await found.generate(model)


async def test_an_idle_model_makes_room_and_is_unloaded(
    settings: Settings, models_file: Path
) -> None:
    async with hosts(settings, models_file, a=1.5) as found:
        await found.generate("one")
        await found.generate("two")
        assert await found.placed() == {"a": ["two"]}
        with anyio.fail_after(30):
            while True:
                (host,) = await found.process.board.hosts()
                if [one.model for one in host.models if one.resident_strategy] == ["two"]:
                    break
                await anyio.sleep(0.05)


async def test_monitors_that_decide_at_once_place_a_model_once(
    settings: Settings, models_file: Path
) -> None:
    async with hosts(settings, models_file, a=1.5, b=1.5, c=1.5) as found:
        process = found.process
        monitors = [
            Placer(
                hosts=PresenceBoard(process.connection).hosts,
                placements=PlacementBoard(process.connection, process.publisher),
                queues=TaskQueues(process.connection),
                decided_by=f"monitor-{number}",
            )
            for number in range(6)
        ]
        told: list[tuple[str, ...]] = []

        async def ensure(placer: Placer) -> None:
            told.append(await placer.ensure("one", "standard"))

        async with anyio.create_task_group() as tasks:
            for placer in monitors:
                tasks.start_soon(ensure, placer)
        assert sorted((await found.placed()).values()) == [[], [], ["one"]]
        assert len(told) == len(monitors)
        assert len(set(told)) == 1


async def test_placements_outlive_the_server_that_held_them(
    settings: Settings, models_file: Path, nats_server: NatsServer
) -> None:
    async with hosts(settings, models_file, a=1.5) as found:
        await found.generate("one")
        nats_server.stop()
        nats_server.start()
        await found.until_present("a")
        await found.until_placed({"a": ["one"]})
        await found.generate("one")


async def test_what_a_killed_host_held_is_placed_on_another_and_the_run_is_answered(
    settings: Settings, models_file: Path
) -> None:
    size = await size_of_one(settings, models_file)
    # The tighter one is chosen first.
    falling = executor_settings(settings, models_file, "falling", int(size * 1.2))
    staying = executor_settings(settings, models_file, "staying", int(size * 1.5))
    falling.data_dir.mkdir(parents=True)
    executor = ActorProcess(falling, ActorKind.EXECUTOR)
    executor.start()
    try:
        async with town(settings, LIGHT_KINDS) as found, serving(staying, "staying", EXECUTOR):
            await found.until_present("falling", "staying")
            prompt = SubmitPrompt(prompt="the fox", model="one", max_tokens=2000, max_attempts=1)
            run_id = await found.client.submit(prompt)
            await found.until_placed({"falling": ["one"], "staying": []})
            (falling_one,) = [
                one
                for one in await found.process.board.present(max_age_s=0)
                if one.report is not None and one.report.host == "falling"
            ]
            os.kill(falling_one.pid, signal.SIGKILL)
            view = await found.client.wait(run_id, timeout_s=90)
            journal = await found.client.journal.read(run_id)
            assert [type(one.event) for one in journal if one.subject.node == "outcome"] == [
                RunAnswered
            ], view
            assert await found.writer(run_id) == "staying"
            await found.until_placed({"staying": ["one"]})
    finally:
        executor.stop()
