"""A prompt that ends every process that works on it: it fails as poison, and the others go on."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import pytest

from actors.retry_policy import POLICIES
from bus.dead_letters import DeadLetters
from bus.prompt_client import PromptClient
from contracts.actor_kind import ActorKind
from contracts.errors import RemoteError
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from contracts.run_view import RunView
from contracts.task import GenerateAnswer
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.promptbus.commands import PATIENCE_S, environment, started, until_said
from tests.promptbus.conftest import QUICK

LEASE_S = 1.0
NUM_INNOCENT = 12
EXECUTOR = "tests.promptbus.lethal_executor"
COORDINATOR = "tests.promptbus.lethal_coordinator"


@pytest.fixture
def town(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """All actors but one kind, the executor by default, in one process; leases are short."""
    missing = getattr(request, "param", ActorKind.EXECUTOR)
    kinds = [kind for kind in ActorKind if kind is not missing]
    with NatsServer(tmp_path / "nats", synced=False) as server, ExitStack() as stack:
        settings = Settings(data_dir=tmp_path / "data", preload=(), lease_s=LEASE_S).with_address(
            server.address
        )
        log = tmp_path / "actors.log"
        stack.enter_context(started("actor", *kinds, log=log, env=_env(settings)))
        until_said(f"{ActorKind.SUMMARIZER} is serving", log)
        yield settings


async def test_a_prompt_that_kills_its_executors_is_poison_and_the_others_are_answered(
    town: Settings, tmp_path: Path
) -> None:
    async with open_process(town, "test") as process, _client(process) as client:
        killer = await _submit(client, "kill")
        innocent = [await _submit(client, f"number {n}") for n in range(NUM_INNOCENT)]
        with _started_again(EXECUTOR, town, tmp_path) as deaths:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(deaths.watch)
                views = [await _ended(client, run_id) for run_id in (killer, *innocent)]
                later = await _ended(client, await _submit(client, "after all"))
                tasks.cancel_scope.cancel()
        poisoned, *others = views
        assert poisoned.state == "failed"
        assert poisoned.error is not None
        assert (poisoned.error.code, poisoned.error.retryable) == ("poison", False)
        assert [view.state for view in (*others, later)] == ["answered"] * (NUM_INNOCENT + 1)
        assert deaths.number == POLICIES[ActorKind.EXECUTOR].num_deaths
        letters = DeadLetters(process.connection, process.publisher, process.journal)
        (letter,) = await letters.page()
        assert (letter.run_id, letter.error.code) == (killer, "poison")


async def test_a_direct_generation_that_kills_is_told_to_its_caller(
    town: Settings, tmp_path: Path
) -> None:
    task = GenerateAnswer(run_id=new_run_id(), model="echo", prompt="kill", timeout_s=50)
    async with open_process(town, "test") as process, _client(process) as client:
        with _started_again(EXECUTOR, town, tmp_path) as deaths:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(deaths.watch)
                with pytest.raises(RemoteError) as caught:
                    await client.generate(task)
                tasks.cancel_scope.cancel()
        assert caught.value.info.code == "poison"


@pytest.mark.slow
@pytest.mark.parametrize("town", [ActorKind.COORDINATOR], indirect=True)
async def test_a_prompt_that_kills_its_coordinators_is_poison_and_the_others_are_answered(
    town: Settings, tmp_path: Path
) -> None:
    async with open_process(town, "test") as process, _client(process) as client:
        killer = await _submit(client, "kill")
        innocent = [await _submit(client, f"number {n}") for n in range(NUM_INNOCENT)]
        with _started_again(COORDINATOR, town, tmp_path) as deaths:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(deaths.watch)
                poisoned, *others = [await _ended(client, one) for one in (killer, *innocent)]
                tasks.cancel_scope.cancel()
        assert poisoned.error is not None
        assert poisoned.error.code == "poison"
        assert [view.state for view in others] == ["answered"] * NUM_INNOCENT
        assert deaths.number == POLICIES[ActorKind.COORDINATOR].num_deaths


class _Deaths:
    """A process that is started again whenever it ended, and how often it did."""

    def __init__(self, module: str, settings: Settings, log: Path) -> None:
        self.number = 0
        self._command = [sys.executable, "-m", module]
        self._env = _env(settings)
        self._log = log.open("wb")
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._env, stdout=self._log, stderr=self._log)

    async def watch(self) -> None:
        """Start it again until cancelled."""
        while True:
            await anyio.sleep(0.05)
            if self._process.poll() is not None:
                self.number += 1
                self._process = self._start()

    def end(self) -> None:
        """End it for good."""
        self._process.kill()
        self._process.wait()
        self._log.close()


@contextmanager
def _started_again(module: str, settings: Settings, folder: Path) -> Iterator[_Deaths]:
    deaths = _Deaths(module, settings, folder / "lethal.log")
    try:
        yield deaths
    finally:
        deaths.end()


def _env(settings: Settings) -> dict[str, str]:
    given = settings.environment().items()
    mine = {name: value for name, value in given if name.startswith("PROMPTBUS_")}
    return {**environment(**QUICK), **mine}


@asynccontextmanager
async def _client(process: Process) -> AsyncIterator[PromptClient]:
    async with PromptClient(process.connection, process.publisher, process.stored) as client:
        yield client


async def _submit(client: PromptClient, prompt: str) -> str:
    return await client.submit(SubmitPrompt(prompt=prompt, model="echo", max_attempts=1))


async def _ended(client: PromptClient, run_id: str) -> RunView:
    return await client.wait(run_id, timeout_s=PATIENCE_S)
