"""A system in two processes on a server of its own, one of which dies at a named point.

The processes come from a fork server that has imported everything, so that each costs what it does
and not what Python takes to start.
"""

import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import anyio

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.journal import entry_of
from bus.prompt_client import PromptClient
from bus.topology import PROMPTS, RUNS, TASKS, TOKENS
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable, RunFinished
from contracts.event import Outcome
from contracts.idempotency import keyed_run_id
from contracts.journal_entry import JournalEntry
from contracts.letter_error import LetterSettled
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.cli.actor import run_actor
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings

PATIENCE_S = 60.0
# Half a minute at the pace of the scene: it is cancelled long before.
SLOW = "slow " * 600
POLL_S = 0.1
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "__main__",
        "tests.chaos.crash_scene",
        "promptbus.model_host",
        *(f"actors.{kind}" for kind in ActorKind),
    ]
)


@dataclass(frozen=True)
class Script:
    """What clients do in the scene: one run of each kind of ending."""

    key: str = field(default_factory=new_run_id)
    failed: str = field(default_factory=new_run_id)
    cancelled: str = field(default_factory=new_run_id)
    malformed: str = field(default_factory=new_run_id)

    @property
    def answered(self) -> str:
        """The run that has its answer; its id follows from its key."""
        return keyed_run_id(self.key, "")

    @property
    def run_ids(self) -> set[str]:
        """All runs."""
        return {self.answered, self.failed, self.cancelled, self.malformed}

    async def play(self, process: Process, client: PromptClient) -> None:
        """Do all of it; doing it again changes nothing."""
        slow = SubmitPrompt(run_id=self.cancelled, prompt=SLOW, model="echo", max_attempts=1)
        await client.submit(slow)
        await _stored(process, subjects.tokens_of_run(self.cancelled), self.cancelled)
        quick = SubmitPrompt(prompt="hello", model="echo", session_id="s", max_attempts=1)
        await client.submit(quick, idempotency_key=self.key)
        unknown = SubmitPrompt(run_id=self.failed, prompt="hi", model="no-such-model")
        await client.submit(unknown)
        malformed = f'{{"run_id": "{self.malformed}", "prompt": 5}}'.encode()
        await process.connection.jetstream.publish(
            subjects.prompts(Priority.NORMAL), malformed, headers={"Nats-Msg-Id": self.malformed}
        )
        await _stored(process, subjects.waits(self.answered), self.answered)
        await self._double(process)
        await anyio.sleep(0.5)
        with suppress(RunFinished):
            await client.cancel(self.cancelled)
        await self._settle_letter(client)

    async def _double(self, process: Process) -> None:
        """A second copy of a task that is being worked on, in another queue."""
        copy = GenerateAnswer(run_id=self.cancelled, prompt=SLOW, model="echo")
        subject = subjects.executor_tasks("echo", Priority.BATCH)
        await process.connection.jetstream.publish(subject, copy.encode())

    async def _settle_letter(self, client: PromptClient) -> None:
        """Correct the dead letter of the malformed prompt, and drop it."""
        while True:
            letters = await client.dead_letters.page()
            for letter in letters:
                if letter.run_id == self.malformed:
                    with suppress(LetterSettled):
                        await client.dead_letters.edit(str(letter.letter_id), '{"prompt": "five"}')
                        await client.dead_letters.drop(str(letter.letter_id))
                    return
            await anyio.sleep(POLL_S)


async def _stored(process: Process, subject: str, run_id: str) -> None:
    """Return once there is text, or a note why the run waits; or its outcome, if it never did."""
    direct = DirectGet(process.connection, TOKENS)
    outcome = subjects.run_event(run_id, subjects.OUTCOME)
    while not await direct.read_last(subject):
        if await process.journal.read_one(outcome) is not None:
            return
        await anyio.sleep(POLL_S)


@dataclass(frozen=True)
class Ended:
    """What is there when everything is over."""

    deaths: list[str]
    entries: list[JournalEntry]
    num_stored: Counter[str]
    script: Script

    def outcomes(self, run_id: str) -> list[Outcome]:
        """The outcomes of that run, of which there must be one."""
        events = [entry.event for entry in self.entries if entry.subject.run_id == run_id]
        return [event for event in events if isinstance(event, Outcome)]


async def play(point: str, folder: Path) -> Ended:
    """Let a process die at ``point`` in the middle of everything, start it again, and wait."""
    async with AsyncExitStack() as stack:
        server = NatsServer(folder / "nats", synced=False)
        stack.callback(server.kill)
        # On this thread: a worker thread that ends when it is idle would take the server with it.
        server.start()
        settings = Settings(
            data_dir=folder / "data",
            preload=(),
            default_model="echo",
            lease_s=1.0,
            echo_pause_s=0.05,
            max_generations=1,
            executor_name=point,
        ).with_address(server.address)
        scene = _Scene(settings, point, Script())
        stack.callback(scene.end)
        connection = await stack.enter_async_context(Connection(server.address, "test"))
        with anyio.fail_after(PATIENCE_S):
            scene.begin()
            while not await scene.is_over(connection):
                await anyio.sleep(POLL_S)
        stored = await DirectGet(connection, RUNS).read_all(subjects.RUNS_ALL)
        return Ended(
            scene.deaths,
            [entry_of(message) for message in stored],
            Counter(message.subject for message in stored),
            scene.script,
        )


class _Scene:
    """The processes of one scene; what dies is started again, without a point to die at."""

    def __init__(self, settings: Settings, point: str, script: Script) -> None:
        self._settings = settings
        self._point = point
        self.script = script
        self.deaths: list[str] = []
        self._running: dict[str, ForkServerProcess] = {}

    def begin(self) -> None:
        """Start the clients and all actors."""
        doomed = self._settings.model_copy(update={"crash_at": self._point})
        self._start("actors", doomed)
        self._start("clients", doomed)

    def _start(self, role: str, settings: Settings) -> None:
        log = self._settings.data_dir.with_name(f"{role}.log")
        process = _CONTEXT.Process(
            target=_ROLES[role], args=(settings, self.script, log), daemon=True
        )
        process.start()
        self._running[role] = process

    async def is_over(self, connection: Connection) -> bool:
        """Whether somebody died and everything is done nevertheless."""
        for role, process in tuple(self._running.items()):
            if process.exitcode is None or (role == "clients" and process.exitcode == 0):
                continue
            assert process.exitcode == -signal.SIGKILL, f"{role} ended with {process.exitcode}"
            self.deaths.append(role)
            self._start(role, self._settings)
        if not self.deaths or self._running["clients"].exitcode is None:
            return False
        return await _is_done(connection, self.script)

    def end(self) -> None:
        """Kill and reap."""
        for process in self._running.values():
            process.kill()
            process.join()


async def _is_done(connection: Connection, script: Script) -> bool:
    """Whether every run has its outcome and every queue is empty."""
    try:
        found = await DirectGet(connection, RUNS).read_all(subjects.OUTCOMES_ALL)
    except BusUnavailable:
        return False
    ended = {subjects.parse_run(message.subject).run_id for message in found}
    if not script.run_ids <= ended:
        return False
    infos = [await connection.jetstream.stream_info(name) for name in (PROMPTS, TASKS)]
    return not any(info.state.messages for info in infos)


def _run_actors(settings: Settings, script: Script, log: Path) -> None:
    _speak_into(log)
    anyio.run(run_actor, settings, tuple(ActorKind))


def _run_clients(settings: Settings, script: Script, log: Path) -> None:
    _speak_into(log)
    anyio.run(_submit, settings, script)


_ROLES: dict[str, Callable[[Settings, Script, Path], None]] = {
    "actors": _run_actors,
    "clients": _run_clients,
}


async def _submit(settings: Settings, script: Script) -> None:
    async with (
        open_process(settings, "client") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        await script.play(process, client)


def _speak_into(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
