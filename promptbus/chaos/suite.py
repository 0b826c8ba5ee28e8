"""One chaos run from its first process to its report."""

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
from nats.errors import Error as NatsError

from bus.direct_get import DirectGet
from bus.journal import entry_or_none
from bus.prompt_client import PromptClient
from bus.topology import PROMPTS, RUNS, prompt_consumer
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable, NotReady, PromptbusError
from contracts.journal_entry import JournalEntry
from contracts.prompt import Priority
from promptbus.chaos.checker import Findings, check
from promptbus.chaos.fleet import CommandMember, Fleet
from promptbus.chaos.injector import Happened, Injector
from promptbus.chaos.load import Load
from promptbus.chaos.plan import LEASE_S, ChaosPlan
from promptbus.chaos.system import (
    actor_members,
    joint_address,
    make_servers,
    server_members,
    system_settings,
)
from promptbus.chaos.work_log import read_work_log
from promptbus.nats_server import free_port
from promptbus.process import Process, open_process

logger = logging.getLogger(__name__)

READY_S = 60.0
# Without a new outcome for so long, what has none is taken for lost.
PATIENCE_S = 90.0
# A zombie that wakes last has so long to do its harm.
SETTLE_S = 2 * LEASE_S
POLL_S = 0.5

ReadT = TypeVar("ReadT")


@dataclass
class Progress:
    """How far a chaos run is, for whoever shows it."""

    doing: str = "starting"
    num_submitted: int = 0
    num_faults: int = 0
    num_outcomes: int = 0


@dataclass(frozen=True, slots=True)
class ChaosResult:
    """What a chaos run did, and what the checker found."""

    plan: ChaosPlan
    findings: Findings
    happened: tuple[Happened, ...]
    falls: tuple[str, ...]
    num_left_over: int
    took_s: float

    @property
    def violations(self) -> tuple[str, ...]:
        """Every broken promise; empty is what must be."""
        left = f"{self.num_left_over} prompts still in the queue"
        return (*self.findings.violations, *([left] if self.num_left_over else []))


class ChaosSuite:
    """Runs a plan in ``folder``, which keeps all logs and streams."""

    def __init__(self, plan: ChaosPlan, folder: Path, binary: Path | None = None) -> None:
        self.plan = plan
        self._folder = folder
        self._binary = binary
        self._fleet = Fleet()
        self._ended: set[str | None] = set()
        self.progress = Progress()

    async def run(self) -> ChaosResult:
        """Start everything, break it, wait for every outcome, and check; all processes end.

        Raises: NotReady when the system does not come up.
        """
        began_s = time.monotonic()
        try:
            async with self._open() as (process, members, api_port):
                load, injector = await self._break(process, api_port)
                self.progress.doing = "checking"
                entries = await _patiently(lambda: _read_runs(process))
                num_left_over = await _patiently(lambda: _count_left_over(process))
        finally:
            self._fleet.end_all()
        begun = [one for member in members for one in read_work_log(member.name, member.log)]
        return ChaosResult(
            plan=self.plan,
            findings=check(
                load.journal.values(),
                entries,
                begun,
                injector.happened,
                is_alone=self.plan.num_nodes == 1,
            ),
            happened=tuple(injector.happened),
            falls=tuple(f"{fall.name} ended with {fall.code}" for fall in self._fleet.falls),
            num_left_over=num_left_over,
            took_s=round(time.monotonic() - began_s, 1),
        )

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[Process, list[CommandMember], int]]:
        servers = make_servers(self.plan, self._folder, self._binary)
        self._fleet.add(server_members(servers))
        for server in servers:
            await anyio.to_thread.run_sync(server.wait_until_healthy)
        api_port = free_port()
        settings = system_settings(self.plan, self._folder, joint_address(servers), api_port)
        async with open_process(settings, "chaos") as process:
            members = list(actor_members(self.plan, settings))
            self._fleet.add(members)
            async with anyio.create_task_group() as watching:
                # An actor may end while the servers elect; as under a supervisor it comes back.
                watching.start_soon(self._fleet.watch)
                await self._await_actors(process)
                watching.cancel_scope.cancel()
            self._fleet.falls.clear()
            yield process, members, api_port

    async def _await_actors(self, process: Process) -> None:
        wanted = Counter(list(ActorKind) * 2)
        with anyio.move_on_after(READY_S):
            while True:
                present = Counter(one.kind for one in await process.board.present())
                if present >= wanted:
                    return
                await anyio.sleep(POLL_S)
        raise NotReady(
            f"the actors did not come up within {READY_S:g} s",
            cure="run it again with --keep DIR, and read the logs there",
        )

    async def _break(self, process: Process, api_port: int) -> tuple[Load, Injector]:
        """Submit everything while everything falls, and wait for the outcomes."""
        self.progress.doing = "breaking"
        injector = Injector(self._fleet, self.plan.faults(), self._count("num_faults"))
        async with (
            PromptClient(process.connection, process.publisher, process.stored) as client,
            anyio.create_task_group() as watching,
        ):
            load = Load(self.plan, client, api_port, self._count("num_submitted"))
            watching.start_soon(self._fleet.watch)
            watching.start_soon(self._follow, process)
            async with anyio.create_task_group() as acting:
                acting.start_soon(load.run)
                acting.start_soon(injector.run)
            self.progress.doing = "waiting for outcomes"
            await self._await_outcomes(load)
            await anyio.sleep(SETTLE_S)
            watching.cancel_scope.cancel()
        return load, injector

    def _count(self, name: str) -> Callable[[], None]:
        def count() -> None:
            setattr(self.progress, name, getattr(self.progress, name) + 1)

        return count

    async def _follow(self, process: Process) -> None:
        """Learn which runs have their outcome, until cancelled."""
        direct, sequence = DirectGet(process.connection, RUNS), 0
        while True:
            await anyio.sleep(POLL_S)
            try:
                found = await direct.read(subjects.OUTCOMES_ALL, from_sequence=sequence + 1)
            except (BusUnavailable, NatsError) as exc:
                logger.info("outcomes cannot be read: %s", exc)
                continue
            for message in found:
                sequence = message.sequence
                self._ended.add(subjects.parse_run(message.subject).run_id)
            self.progress.num_outcomes = len(self._ended)

    async def _await_outcomes(self, load: Load) -> None:
        """Return once every accepted prompt has its outcome, or none comes any more."""
        accepted = {one.run_id for one in load.journal.values() if one.verdict == "ok"}
        num_ended, since_s = len(self._ended), time.monotonic()
        while not accepted <= self._ended and time.monotonic() - since_s < PATIENCE_S:
            await anyio.sleep(POLL_S)
            if len(self._ended) > num_ended:
                num_ended, since_s = len(self._ended), time.monotonic()


async def _read_runs(process: Process) -> list[JournalEntry]:
    stored = await DirectGet(process.connection, RUNS).read_all(subjects.RUNS_ALL)
    return [entry for entry in map(entry_or_none, stored) if entry is not None]


async def _count_left_over(process: Process) -> int:
    """Prompts that are still leased or waiting though every run is over."""
    consumers = [prompt_consumer(priority) for priority in Priority]
    infos = [
        await process.connection.jetstream.consumer_info(PROMPTS, consumer.name)
        for consumer in consumers
    ]
    return sum((info.num_pending or 0) + (info.num_ack_pending or 0) for info in infos)


async def _patiently(read: Callable[[], Awaitable[ReadT]]) -> ReadT:
    """What ``read`` returns, as soon as the bus lets it.

    Raises: NotReady when that is not within a minute.
    """
    with anyio.move_on_after(READY_S):
        while True:
            try:
                return await read()
            except (PromptbusError, NatsError, TimeoutError) as exc:
                logger.info("not readable yet: %s", exc)
                await anyio.sleep(POLL_S)
    raise NotReady("the bus did not come back after the last fault", cure="read its logs")
