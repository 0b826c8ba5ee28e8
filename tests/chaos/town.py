"""Three real servers and all actors in one process, for tests that break the servers."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bus.prompt_client import PromptClient
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.chaos.fleet import CommandMember, Fleet
from promptbus.chaos.plan import ChaosPlan
from promptbus.chaos.system import joint_address, make_servers, server_members, system_settings
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.promptbus.commands import until_said

PLAN = ChaosPlan(num_runs=1, num_faults=0, seed=0, num_nodes=3)
SUBMIT_EVERY_S = 0.2


@dataclass
class Town:
    """A cluster, and the one process that works on it."""

    servers: list[NatsServer]
    settings: Settings
    fleet: Fleet
    actors: CommandMember

    def server(self, name: str) -> NatsServer:
        """The server of that name, as the cluster calls it."""
        return self.servers[int(name.removeprefix("nats-")) - 1]


@contextmanager
def open_town(folder: Path) -> Iterator[Town]:
    """Start everything in ``folder``; all of it ends with the context."""
    fleet = Fleet()
    servers = make_servers(PLAN, folder, None)
    try:
        fleet.add(server_members(servers))
        for server in servers:
            server.wait_until_healthy()
        settings = system_settings(PLAN, folder, joint_address(servers), api_port=0)
        argv = [sys.executable, "-m", "promptbus", "actor", *ActorKind]
        actors = CommandMember("actors", argv, settings.environment(), folder)
        fleet.add([actors])
        for kind in ActorKind:
            until_said(f"{kind} is serving", actors.log)
        yield Town(servers, settings, fleet, actors)
    finally:
        fleet.end_all()


@dataclass
class Visit:
    """A client of the town that keeps submitting."""

    process: Process
    client: PromptClient
    accepted: list[str] = field(default_factory=list)

    async def submit(self) -> str:
        """Submit one prompt, trying again until it is accepted."""
        prompt = SubmitPrompt(prompt="hello", model="echo", max_attempts=1, run_id=new_run_id())
        while True:
            try:
                run_id = await self.client.submit(prompt)
            except BusUnavailable:
                continue
            self.accepted.append(run_id)
            return run_id

    async def answer(self, timeout_s: float) -> None:
        """Submit one prompt and see it answered in time."""
        with anyio.fail_after(timeout_s):
            await self.wait_for(await self.submit())

    async def wait_for(self, run_id: str) -> None:
        """See that run answered, however often the bus is away meanwhile."""
        while True:
            try:
                view = await self.client.wait(run_id)
            except BusUnavailable:
                continue
            assert view.state == "answered", view
            assert view.output == "hello"
            return


@asynccontextmanager
async def visit(town: Town) -> AsyncIterator[Visit]:
    """Submit steadily as long as the context lasts; then every accepted prompt is answered."""
    async with (
        open_process(town.settings, "test") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        here = Visit(process, client)

        async def keep_submitting() -> None:
            while True:
                tasks.start_soon(here.submit)
                await anyio.sleep(SUBMIT_EVERY_S)

        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as submitting:
                submitting.start_soon(keep_submitting)
                yield here
                submitting.cancel_scope.cancel()
        with anyio.fail_after(60):
            for run_id in here.accepted:
                await here.wait_for(run_id)
