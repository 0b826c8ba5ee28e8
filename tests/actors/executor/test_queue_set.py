"""An executor obeys its placement: queues, loads and unloads follow it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from actors.executor import QueueSet
from actors.worker_set import WorkerSet
from bus.placement_board import ABSENT, PlacementBoard
from bus.pull_worker import Delivery
from bus.topology import executor_consumer
from contracts.placement import HostPlacement, PlacedModel
from contracts.prompt import Priority
from promptbus.model_host import ModelHost
from promptbus.process import open_process
from promptbus.settings import Settings
from tests.bus.tools import until
from tests.promptbus.executors import executor_settings, save_models

HOST = "box"
ROOM_BYTES = 1 << 26


@pytest.fixture(scope="module")
def models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small models; not to be changed."""
    return save_models(tmp_path_factory.mktemp("models"))


@dataclass(frozen=True)
class Obeying:
    """An executor's queues while they are served, and the board they follow."""

    board: PlacementBoard
    workers: WorkerSet
    host: ModelHost

    def serves(self, model: str) -> bool:
        """Whether all its queues are pulled from."""
        names = [executor_consumer(model, priority).name for priority in Priority]
        return all(map(self.workers.works_on, names))

    def serves_none_of(self, model: str) -> bool:
        """Whether none of its queues is."""
        names = [executor_consumer(model, priority).name for priority in Priority]
        return not any(map(self.workers.works_on, names))

    def resident(self) -> set[str]:
        """What holds memory."""
        return {one.model for one in self.host.gateway.models() if one.resident_strategy}

    def pinned(self) -> set[str]:
        """What never leaves."""
        return {one.model for one in self.host.gateway.models() if one.pinned}

    async def placed(self) -> list[str] | None:
        """What is placed here; None where nobody has said."""
        found = await self.board.read_one(HOST)
        return None if found is None else [one.model for one in found.placement.models]

    async def decide(self, *models: str, pinned: bool = False) -> None:
        """Place exactly ``models`` here, as a monitor does."""
        found = await self.board.read_one(HOST)
        placed = tuple(PlacedModel(model=one, strategy="standard", pinned=pinned) for one in models)
        new = HostPlacement(host=HOST, models=placed, decided_by="monitor")
        assert await self.board.decide(HOST, new, found.revision if found else ABSENT)


async def never(_: Delivery) -> None:
    """Nothing is asked here."""
    raise AssertionError("a task came")


@asynccontextmanager
async def obeying(
    settings: Settings,
    models_file: Path,
    *,
    preload: tuple[str, ...] = (),
    before: tuple[str, ...] | None = None,
    every_s: float = 0.2,
) -> AsyncIterator[Obeying]:
    """An executor that obeys; ``before`` is what its host was given earlier."""
    host = ModelHost(executor_settings(settings, models_file, HOST, ROOM_BYTES))
    async with open_process(settings, "test") as process, anyio.create_task_group() as tasks:
        board = PlacementBoard(process.connection, process.publisher)
        workers = WorkerSet(process.connection, never, tasks)
        found = Obeying(board, workers, host)
        if before is not None:
            await found.decide(*before)
        queues = QueueSet(
            host=HOST,
            gateway=host.gateway,
            describe=host.describe,
            connection=process.connection,
            placements=board,
            max_in_flight=8,
            preload=preload,
            every_s=every_s,
        )
        await tasks.start(queues.run, workers)
        yield found
        tasks.cancel_scope.cancel()
    await host.close()


async def test_it_begins_with_what_needs_no_memory_and_says_so(
    settings: Settings, models_file: Path
) -> None:
    async with obeying(settings, models_file) as found:
        assert await found.placed() == []
        assert found.serves("echo")
        assert found.serves_none_of("one")


async def test_what_it_preloads_is_placed_beside_what_was_and_all_is_loaded(
    settings: Settings, models_file: Path
) -> None:
    start = obeying(settings, models_file, preload=("two", "echo"), before=("one", "gone"))
    async with start as found:
        assert await found.placed() == ["one", "two"]
        assert found.serves("one")
        assert found.serves("two")
        await until(lambda: found.resident() == {"one", "two"})


async def test_a_decision_is_heard_at_once_and_obeyed(
    settings: Settings, models_file: Path
) -> None:
    # So long that only what is heard makes it look.
    async with obeying(settings, models_file, every_s=600) as found:
        await found.decide("one")
        await until(lambda: found.serves("one") and found.resident() == {"one"})


async def test_what_is_taken_away_is_pulled_no_more_and_unloaded(
    settings: Settings, models_file: Path
) -> None:
    async with obeying(settings, models_file, preload=("one",)) as found:
        await until(lambda: found.resident() == {"one"})
        await found.decide("two")
        await until(lambda: found.serves_none_of("one") and found.serves("two"))
        await until(lambda: found.resident() == {"two"})


async def test_what_is_placed_pinned_is_pinned_until_it_is_placed_otherwise(
    settings: Settings, models_file: Path
) -> None:
    async with obeying(settings, models_file) as found:
        await found.decide("one", pinned=True)
        await until(lambda: found.pinned() == {"one"})
        await found.decide("one")
        await until(lambda: found.resident() == {"one"} and not found.pinned())


async def test_what_the_bus_forgot_is_written_anew(settings: Settings, models_file: Path) -> None:
    async with obeying(settings, models_file, preload=("one",)) as found:
        seen = await found.board.read_one(HOST)
        assert seen is not None
        await found.board.forget(HOST, seen.revision)
        with anyio.fail_after(20):
            while await found.placed() != ["one"]:
                await anyio.sleep(0.05)
        assert found.serves("one")
