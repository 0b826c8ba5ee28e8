"""Placements: what each host shall serve, and who may change it."""

from collections.abc import Mapping

import anyio

from bus.placement_board import ABSENT, Placed, PlacementBoard
from contracts.placement import HostPlacement, PlacedModel
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.tools import until


def placement(host: str, *models: str) -> HostPlacement:
    """``models`` on ``host``."""
    return HostPlacement(
        host=host,
        models=tuple(PlacedModel(model=model, strategy="standard") for model in models),
    )


def board_of(process: Process) -> PlacementBoard:
    """A board with a cache of its own."""
    return PlacementBoard(process.connection, process.publisher)


def models(read: Mapping[str, Placed]) -> dict[str, list[str]]:
    """Models by host."""
    return {host: [one.model for one in placed.placement.models] for host, placed in read.items()}


async def test_what_is_decided_is_read_by_all(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        board = board_of(process)
        assert await board.read_all() == {}
        assert await board.read_one("gpu.1 *>") is None
        assert await board.decide("gpu.1 *>", placement("gpu.1 *>", "m"), ABSENT)
        assert await board.decide("b", placement("b"), ABSENT)
        assert models(await board.read_all()) == {"gpu.1 *>": ["m"], "b": []}
        found = await board_of(process).read_one("gpu.1 *>")
        assert found == (await board.read_all())["gpu.1 *>"]


async def test_of_two_that_decide_on_the_same_revision_one_wins(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        won: list[str] = []

        async def decide(name: str, revision: int) -> None:
            if await board_of(process).decide("a", placement("a", name), revision):
                won.append(name)

        for round_ in range(3):
            found = await board_of(process).read_one("a")
            async with anyio.create_task_group() as tasks:
                for number in range(8):
                    revision = found.revision if found else ABSENT
                    tasks.start_soon(decide, f"{round_}-{number}", revision)
            assert len(won) == round_ + 1
            assert models(await board_of(process).read_all()) == {"a": [won[-1]]}


async def test_what_is_read_is_shared_for_a_moment_but_ones_own_decision_is_seen(
    settings: Settings,
) -> None:
    async with open_process(settings, "test") as process:
        mine, other = board_of(process), board_of(process)
        assert await mine.read_all(max_age_s=60) == {}
        assert await other.decide("a", placement("a", "m"), ABSENT)
        assert await mine.read_all(max_age_s=60) == {}
        assert models(await mine.read_all(max_age_s=0)) == {"a": ["m"]}
        assert await mine.decide("b", placement("b"), ABSENT)
        assert models(await mine.read_all(max_age_s=60)) == {"a": ["m"], "b": []}


async def test_a_host_that_is_gone_is_forgotten_unless_it_has_come_back(
    settings: Settings,
) -> None:
    async with open_process(settings, "test") as process:
        board = board_of(process)
        assert await board.decide("a", placement("a", "m"), ABSENT)
        seen = await board.read_one("a")
        assert seen is not None
        assert await board.decide("a", placement("a", "n"), seen.revision)
        await board.forget("a", seen.revision)
        again = await board.read_one("a")
        assert again is not None
        await board.forget("a", again.revision)
        assert await board.read_all() == {}
        assert await board.decide("a", placement("a"), ABSENT)


async def test_a_host_hears_of_its_own_changes_until_it_stops_listening(
    settings: Settings,
) -> None:
    async with open_process(settings, "test") as process:
        board, heard = board_of(process), [0]

        def hear() -> None:
            heard[0] += 1

        end = await board.on_change("a", hear)
        await board.decide("b", placement("b"), ABSENT)
        await board.decide("a", placement("a"), ABSENT)
        await until(lambda: heard == [1])
        await end()
        seen = await board.read_one("a")
        assert seen is not None
        assert await board.decide("a", placement("a", "m"), seen.revision)
        await process.connection.client.flush()
        assert heard == [1]


async def test_it_is_a_key_value_bucket_that_any_client_reads_and_foreign_entries_are_passed_over(
    settings: Settings,
) -> None:
    async with open_process(settings, "test") as process:
        bucket = await process.connection.jetstream.key_value("placements")
        await bucket.put("junk", b"junk")
        await bucket.put("gone", placement("gone").encode())
        await bucket.delete("gone")
        board = board_of(process)
        await board.decide("a", placement("a", "m"), ABSENT)
        assert models(await board.read_all()) == {"a": ["m"]}
        entry = await bucket.get("a")
        assert HostPlacement.model_validate_json(entry.value or b"") == placement("a", "m")
