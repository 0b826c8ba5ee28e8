"""Executors with small budgets, each a host of its own on one bus, and what tests ask of them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from bus.placement_board import PlacementBoard
from bus.prompt_client import PromptClient
from contracts.actor_kind import ActorKind
from contracts.presence import HostReport, ModelReport
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.bootstrap import serve_actors
from promptbus.model_host import ModelHost
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.providers.conftest import save_tiny_checkpoint

NAMES = ("one", "two")
KV_TOKENS = 2048


def save_models(folder: Path) -> Path:
    """A registry file of two models that go on until they are stopped."""
    lines = []
    for name in NAMES:
        save_tiny_checkpoint(folder / name, endless=True)
        lines.append(f'[models.{name}]\nsource = "{folder / name}"\n')
    file = folder / "models.toml"
    file.write_text("".join(lines))
    return file


def executor_settings(
    settings: Settings, models_file: Path, name: str, budget_bytes: int
) -> Settings:
    """The settings of one executor."""
    return settings.model_copy(
        update={
            "models_file": models_file,
            "executor_name": name,
            "memory_budget": f"cpu={budget_bytes}",
            "kv_tokens": KV_TOKENS,
            "data_dir": settings.data_dir / name,
        }
    )


async def size_of_one(settings: Settings, models_file: Path) -> int:
    """Bytes that each of the models needs, as an executor estimates them."""
    host = ModelHost(executor_settings(settings, models_file, "scales", 1 << 30))
    try:
        report = find_model(await host.describe(), "one")
    finally:
        await host.close()
    assert report is not None
    assert report.size_bytes is not None
    return report.size_bytes


def find_model(host: HostReport, model: str) -> ModelReport | None:
    """What ``host`` says of ``model``."""
    return next((report for report in host.models if report.model == model), None)


@asynccontextmanager
async def serving(
    settings: Settings, role: str, kinds: Iterable[ActorKind]
) -> AsyncIterator[Process]:
    """Actors of ``kinds`` in a process of their own as far as the bus can tell."""
    stop, ready, done = anyio.Event(), anyio.Event(), anyio.Event()
    async with open_process(settings, role) as process, anyio.create_task_group() as tasks:

        async def serve() -> None:
            await serve_actors(process, kinds, stop, ready.set)
            done.set()

        tasks.start_soon(serve)
        with anyio.fail_after(60):
            await ready.wait()
        try:
            yield process
        finally:
            stop.set()
            with anyio.CancelScope(shield=True):
                await done.wait()


class Town:
    """A bus with monitors, as a client sees it."""

    def __init__(self, process: Process, client: PromptClient) -> None:
        self.process = process
        self.client = client
        self.placements = PlacementBoard(process.connection, process.publisher)

    async def placed(self) -> dict[str, list[str]]:
        """Models by host, as they are placed now."""
        found = await self.placements.read_all(max_age_s=0)
        return {
            host: sorted(one.model for one in placed.placement.models)
            for host, placed in found.items()
        }

    async def generate(self, model: str, max_tokens: int = 4) -> str:
        """Generate directly; the run id."""
        task = GenerateAnswer(
            run_id=new_run_id(), model=model, prompt="the fox", max_tokens=max_tokens, timeout_s=60
        )
        result = await self.client.generate(task)
        assert result.usage.completion_tokens == max_tokens
        return task.run_id

    async def writer(self, run_id: str) -> str:
        """Who answered the run."""
        journal = await self.client.journal.read(run_id)
        (entry,) = [one for one in journal if one.subject.node == ActorKind.EXECUTOR]
        return entry.writer.split("/")[1]

    async def until_present(self, *hosts: str) -> None:
        """Wait until exactly those hosts are there."""
        with anyio.fail_after(60):
            while True:
                present = await self.process.board.present(max_age_s=0)
                if {one.report.host for one in present if one.report} == set(hosts):
                    return
                await anyio.sleep(0.05)

    async def until_placed(self, expected: dict[str, list[str]]) -> None:
        """Wait until that is placed."""
        with anyio.fail_after(60):
            while await self.placed() != expected:
                await anyio.sleep(0.05)


@asynccontextmanager
async def town(
    settings: Settings, kinds: Iterable[ActorKind] = (ActorKind.MONITOR,)
) -> AsyncIterator[Town]:
    """Monitors (or more), and a client."""
    async with serving(settings, "light", kinds) as process:
        async with PromptClient(process.connection, process.publisher, process.stored) as client:
            yield Town(process, client)
