"""A hundred keys, posted again and again through two APIs that die and return: a hundred runs."""

import itertools
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio import to_thread

from bus.topology import PROMPTS, RUNS
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.idempotency import keyed_run_id
from promptbus.nats_server import NatsServer
from promptbus.process import open_process
from promptbus.settings import Settings
from tests.promptbus.commands import PATIENCE_S, environment, started, until_said
from tests.promptbus.conftest import QUICK

NUM_KEYS = 100
POSTS_PER_KEY = 4
NUM_KILLS = 4


@dataclass
class Apis:
    """Two APIs of one bus, each on a port that it keeps."""

    settings: Settings
    folder: Path
    stack: ExitStack
    ports: tuple[int, int]
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    num_logs: Iterator[int] = field(default_factory=itertools.count)

    def environment(self) -> dict[str, str]:
        """What the processes are given."""
        given = self.settings.environment().items()
        mine = {name: value for name, value in given if name.startswith("PROMPTBUS_")}
        return {**environment(**QUICK), **mine}

    def start(self, port: int) -> None:
        """Start the API of that port; returns when it serves."""
        log = self.folder / f"api-{next(self.num_logs)}.log"
        api = started("api", "--port", str(port), log=log, env=self.environment())
        self.running[port] = self.stack.enter_context(api)
        until_said("is serving on", log)

    def kill(self, port: int) -> None:
        """End it as a crash would."""
        self.running[port].kill()
        self.running[port].wait()

    def url(self, number: int) -> str:
        """One of the two, by turns."""
        return f"http://127.0.0.1:{self.ports[number % 2]}/orchestrator/run?wait_s=0"


@pytest.fixture
def apis(tmp_path: Path) -> Iterator[Apis]:
    """Two APIs, and all actors in one process."""
    with NatsServer(tmp_path / "nats") as server, ExitStack() as stack:
        settings = Settings(data_dir=tmp_path / "data", preload=()).with_address(server.address)
        found = Apis(settings, tmp_path, stack, (_free_port(), _free_port()))
        log = tmp_path / "actors.log"
        stack.enter_context(started("actor", *ActorKind, log=log, env=found.environment()))
        for port in found.ports:
            found.start(port)
        until_said(f"{ActorKind.COORDINATOR} is serving", log)
        yield found


async def test_a_hundred_keys_are_a_hundred_runs(apis: Apis) -> None:
    accepted: dict[str, set[str]] = {f"key {number}": set() for number in range(NUM_KEYS)}
    slots = anyio.Semaphore(NUM_KEYS)

    async def post(http: httpx2.AsyncClient, key: str, number: int) -> None:
        """Post until it is accepted, as a client does that was told nothing."""
        body = {"prompt": f"Say: {key}", "model": "echo", "max_attempts": 1}
        headers = {"Idempotency-Key": key}
        async with slots:
            for turn in itertools.count(number):
                try:
                    answer = await http.post(apis.url(turn), json=body, headers=headers)
                except httpx2.TransportError:
                    await anyio.sleep(0.05)
                    continue
                if answer.status_code in {200, 202}:
                    accepted[key].add(answer.json()["run_id"])
                    return
                assert answer.status_code == 503, answer.text
                await anyio.sleep(0.05)

    async def fell_one_after_the_other() -> None:
        for number in range(NUM_KILLS):
            port = apis.ports[number % 2]
            await to_thread.run_sync(apis.kill, port)
            await to_thread.run_sync(apis.start, port)

    limits = httpx2.Limits(max_connections=NUM_KEYS)
    with anyio.fail_after(PATIENCE_S):
        async with httpx2.AsyncClient(limits=limits, timeout=30) as http:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fell_one_after_the_other)
                for number in range(POSTS_PER_KEY):
                    for place, key in enumerate(accepted):
                        tasks.start_soon(post, http, key, number + place)
                    await anyio.sleep(0.5)
    assert accepted == {key: {keyed_run_id(key)} for key in accepted}
    async with open_process(apis.settings, "test") as process:
        jetstream = process.connection.jetstream
        with anyio.fail_after(PATIENCE_S):
            while (await jetstream.stream_info(PROMPTS)).state.messages:
                await anyio.sleep(0.05)
        info = await jetstream.stream_info(RUNS, subjects_filter="runs.*.outcome")
        outcomes = {subjects.run_event(keyed_run_id(key), subjects.OUTCOME): 1 for key in accepted}
        assert info.state.subjects == outcomes


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
