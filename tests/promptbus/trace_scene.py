"""Runs of every kind while processes are killed; then their traces are compared with the journals.

``python -m tests.promptbus.trace_scene 1000`` is the same with more runs.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import anyio
import psutil

from bus.prompt_client import PromptClient
from contracts.errors import PromptbusError
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.check import Check
from promptbus.nats_server import NatsServer
from promptbus.process import open_process
from promptbus.settings import Settings
from promptbus.trace_checks import check_traces
from tests.promptbus.commands import environment, started, until_said
from tests.promptbus.conftest import QUICK

LEASE_S = 1.0
LIGHT = ("analyzer", "history", "monitor", "validator", "summarizer")
# An echo of its instruction is judged too bad to keep, so these have several attempts.
PROMPTS = (
    "hello there, how are you today?",
    "Answer in JSON: the capital of France",
    "Write Python code that adds two numbers",
)


class Scene:
    """One server and its processes, some of which die now and then."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._stack = ExitStack()
        self._processes: dict[int, tuple[str, ...]] = {}
        self._num_started = 0
        self.num_kills = 0
        self.server = NatsServer(folder / "nats", synced=False)

    def settings(self) -> Settings:
        """How to reach it."""
        settings = Settings(data_dir=self._folder / "data", preload=(), lease_s=LEASE_S)
        return settings.with_address(self.server.address)

    def __enter__(self) -> "Scene":
        self._stack.enter_context(self.server)
        for kinds in (("coordinator",), ("coordinator",), LIGHT, LIGHT, ("executor",)):
            self._start(kinds)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, kinds: tuple[str, ...]) -> None:
        self._num_started += 1
        log = self._folder / f"{self._num_started}.log"
        settings = self.settings().environment()
        ours = {name: value for name, value in settings.items() if name.startswith("PROMPTBUS_")}
        env = {**environment(**QUICK), **ours, "PROMPTBUS_ECHO_PAUSE_S": "0.03"}
        env["PROMPTBUS_DATA_DIR"] = str(self._folder / f"data-{self._num_started}")
        process = self._stack.enter_context(started("actor", *kinds, log=log, env=env))
        until_said(f"{kinds[-1]} is serving", log)
        self._processes[process.pid] = kinds

    def kill_one(self) -> None:
        """Kill any of them, and start another like it."""
        pid = self._random.choice(list(self._processes))
        kinds = self._processes.pop(pid)
        psutil.Process(pid).kill()
        self.num_kills += 1
        self._start(kinds)


async def play(scene: Scene, num_runs: int, *, seed: int, kill_every_s: float) -> list[Check]:
    """Submit, cancel and kill until every run is over; what the traces are like then."""
    rng = random.Random(seed)
    ends: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(open_process(scene.settings(), "test"))
        client = await stack.enter_async_context(
            PromptClient(process.connection, process.publisher, process.stored)
        )
        limiter = anyio.CapacityLimiter(24)
        over = anyio.Event()

        async def one() -> None:
            async with limiter:
                ends[await _run(client, rng)] += 1

        async def kill() -> None:
            while not over.is_set():
                with anyio.move_on_after(kill_every_s * rng.uniform(0.5, 1.5)):
                    await over.wait()
                    return
                await anyio.to_thread.run_sync(scene.kill_one)

        async with anyio.create_task_group() as killing:
            killing.start_soon(kill)
            async with anyio.create_task_group() as running:
                for _ in range(num_runs):
                    running.start_soon(one)
            over.set()
        checks = await _settled(lambda: check_traces(process))
    sys.stderr.write(f"{dict(ends)}, {scene.num_kills} kills\n")
    return checks


async def _settled(look: Callable[[], Awaitable[list[Check]]]) -> list[Check]:
    """The last traces are told a moment after the last outcome; a cancelled step may end later."""
    checks: list[Check] = []
    for _ in range(20):
        checks = await look()
        if checks[0].state == "ok" and "not over" not in checks[0].found:
            break
        await anyio.sleep(0.5)
    return checks


async def _run(client: PromptClient, rng: random.Random) -> str:
    kind = rng.random()
    model = "no-such-model" if kind < 0.03 else "echo"
    deadline_s = 0.05 if 0.03 <= kind < 0.06 else None
    prompt = SubmitPrompt(
        prompt=rng.choice(PROMPTS),
        model=model,
        run_id=new_run_id(),
        deadline_s=deadline_s,
        session_id=rng.choice([None, "one", "two"]),
    )
    run_id = await client.submit(prompt, rng.choice(list(Priority)))
    if 0.06 <= kind < 0.2:
        await anyio.sleep(rng.uniform(0, 0.4))
        with suppress(PromptbusError):
            await client.cancel(run_id, reason="played")
    async for _ in client.follow(run_id, summary=True):
        pass
    return (await client.view(run_id)).state


def main() -> None:
    """Play with as many runs as the command line says."""
    num_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Scene(Path(folder), seed) as scene:
        (check,) = anyio.run(lambda: play(scene, num_runs, seed=seed, kill_every_s=1.5))
    sys.stderr.write(f"{check.state} {check.found}, in {time.monotonic() - begun_s:.0f} s\n")


if __name__ == "__main__":
    main()
