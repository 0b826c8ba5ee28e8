"""A run outlives the processes that serve it: nothing is done twice, and it ends exactly once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import psutil
import pytest

from bus.prompt_client import PromptClient
from bus.topology import RUNS
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from contracts.run_view import RunView
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.promptbus.commands import PATIENCE_S, environment, started, until_said
from tests.promptbus.conftest import QUICK

LEASE_S = 1.0


@dataclass
class Town:
    """One server, and every kind of actor in a process of its own but for the coordinator."""

    server: NatsServer
    folder: Path
    stack: ExitStack
    processes: list[psutil.Process] = field(default_factory=list)
    executor: psutil.Process | None = None

    def settings(self) -> Settings:
        """How a test reaches it."""
        settings = Settings(data_dir=self.folder / "data", preload=(), lease_s=LEASE_S)
        return settings.with_address(self.server.address)

    def start(self, *kinds: ActorKind) -> list[psutil.Process]:
        """Start one process each; returns when all of them serve."""
        env = {
            **environment(**QUICK),
            **{
                name: value
                for name, value in self.settings().environment().items()
                if name.startswith("PROMPTBUS_")
            },
        }
        begun: list[tuple[ActorKind, Path]] = []
        for kind in kinds:
            log = self.folder / f"{kind}-{len(self.processes)}.log"
            process = self.stack.enter_context(started("actor", kind, log=log, env=env))
            self.processes.append(psutil.Process(process.pid))
            begun.append((kind, log))
        for kind, log in begun:
            until_said(f"{kind} is serving", log)
        return self.processes[-len(kinds) :]

    def end(self) -> None:
        """Ask all at once to end, which is quicker than one after the other."""
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                process.terminate()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The town that the tests of this module share."""
    folder = tmp_path_factory.mktemp("town")
    with NatsServer(folder / "nats") as server, ExitStack() as stack:
        town = Town(server, folder, stack)
        everybody = [kind for kind in ActorKind if kind is not ActorKind.COORDINATOR]
        executor = everybody.index(ActorKind.EXECUTOR)
        town.executor = town.start(*everybody)[executor]
        yield town
        town.end()


async def test_a_run_goes_on_with_another_coordinator_when_its_own_is_killed(town: Town) -> None:
    (first,) = town.start(ActorKind.COORDINATOR)
    async with open_process(town.settings(), "test") as process:
        with _frozen(town.executor):
            run_id = await _submitted(process, "the first one dies")
            await _waits_for_the_executor(process, run_id)
            first.kill()
            (second,) = town.start(ActorKind.COORDINATOR)
        view = await _ended(process, run_id)
        assert (view.state, view.output) == ("answered", "the first one dies")
        await _has_each_step_once(process, run_id)
        second.terminate()


async def test_a_coordinator_that_was_frozen_changes_nothing_when_it_wakes(town: Town) -> None:
    (first,) = town.start(ActorKind.COORDINATOR)
    async with open_process(town.settings(), "test") as process:
        with _frozen(town.executor):
            run_id = await _submitted(process, "the first one sleeps")
            await _waits_for_the_executor(process, run_id)
            first.suspend()
            (second,) = town.start(ActorKind.COORDINATOR)
        view = await _ended(process, run_id)
        assert (view.state, view.output) == ("answered", "the first one sleeps")
        first.resume()
        later = await _submitted(process, "somebody leads this")
        assert (await _ended(process, later)).state == "answered"
        await _has_each_step_once(process, run_id)
        await _has_each_step_once(process, later)
        for coordinator in (first, second):
            coordinator.terminate()


@contextmanager
def _frozen(process: psutil.Process | None) -> Iterator[None]:
    """The process does not get on while the context lasts."""
    assert process is not None
    process.suspend()
    try:
        yield
    finally:
        process.resume()


async def _submitted(process: Process, prompt: str) -> str:
    async with PromptClient(process.connection, process.publisher, process.stored) as client:
        command = SubmitPrompt(
            # One attempt, because the validator may want another of an echo.
            prompt=prompt,
            model="echo",
            max_attempts=1,
            run_id=new_run_id(),
        )
        return await client.submit(command)


async def _waits_for_the_executor(process: Process, run_id: str) -> None:
    """Return once everything before the executor is in the journal."""
    with anyio.fail_after(PATIENCE_S):
        while f"{ActorKind.ANALYZER}/1" not in await _steps(process, run_id):
            await anyio.sleep(0.02)
    assert f"{ActorKind.EXECUTOR}/1" not in await _steps(process, run_id)


async def _ended(process: Process, run_id: str) -> RunView:
    """The run once it has its outcome, and its summary if it was answered."""
    async with PromptClient(process.connection, process.publisher, process.stored) as client:
        with anyio.fail_after(PATIENCE_S):
            async for _ in client.follow(run_id, summary=True):
                pass
        return await client.view(run_id)


async def _has_each_step_once(process: Process, run_id: str) -> None:
    steps = await _steps(process, run_id)
    assert set(steps.values()) == {1}, steps
    executed = [step for step in steps if step.startswith(ActorKind.EXECUTOR)]
    assert executed == [f"{ActorKind.EXECUTOR}/1"]
    assert subjects.OUTCOME in steps


async def _steps(process: Process, run_id: str) -> Counter[str]:
    """How many messages the stream itself holds of each step of a run."""
    prefix = f"runs.{run_id}."
    info = await process.connection.jetstream.stream_info(RUNS, subjects_filter=f"{prefix}>")
    counts = info.state.subjects or {}
    return Counter(
        {subject.removeprefix(prefix).replace(".", "/"): n for subject, n in counts.items()}
    )
