"""Presence: who is there, for as long as they say so."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio

from bus.presence_board import PresenceBoard
from contracts.actor_kind import ActorKind
from contracts.presence import HostReport, ModelReport, Presence
from promptbus.process import open_process
from promptbus.settings import Settings


def presence(instance: str, kind: ActorKind = ActorKind.ANALYZER, **more: object) -> Presence:
    """Somebody who is there."""
    return Presence.model_validate(
        {
            "kind": kind,
            "instance": instance,
            "host": "h",
            "pid": 1,
            "version": "0",
            "started_at": datetime.now(UTC),
            **more,
        }
    )


async def seen(board: PresenceBoard, *instances: str) -> Sequence[Presence]:
    """What ``board`` reads as soon as exactly ``instances`` are there."""
    with anyio.fail_after(20):
        while True:
            found = await board.present(max_age_s=0)
            if sorted(p.instance for p in found) == sorted(instances):
                return found
            await anyio.sleep(0.01)


async def test_who_announces_is_present_and_who_withdraws_is_not(settings: Settings) -> None:
    one, other = presence("host.example-1"), presence("хост *>", ActorKind.MONITOR)
    async with open_process(settings, "test") as process:
        board = process.board
        await board.announce(one)
        await board.announce(other)
        found = await seen(board, one.instance, other.instance)
        assert sorted(found, key=lambda p: p.kind) == [one, other]
        await board.withdraw(one)
        assert await seen(board, other.instance) == (other,)


async def test_an_announcement_replaces_the_one_before(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        for num_in_flight in (1, 2):
            await process.board.announce(presence("a", num_in_flight=num_in_flight))
        with anyio.fail_after(20):
            while [p.num_in_flight for p in await seen(process.board, "a")] != [2]:
                await anyio.sleep(0.01)


async def test_what_is_read_is_shared_for_a_moment(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        assert await process.board.present(max_age_s=60) == ()
        await process.board.announce(presence("a"))
        await seen(PresenceBoard(process.connection), "a")
        assert await process.board.present(max_age_s=60) == ()
        await seen(process.board, "a")


async def test_hosts_are_the_machines_of_executors(settings: Settings) -> None:
    report = HostReport(host="gpu-box", num_cpus=8)
    async with open_process(settings, "test") as process:
        await process.board.announce(presence("a", report=None))
        await process.board.announce(presence("b", ActorKind.EXECUTOR, report=report))
        await seen(process.board, "a", "b")
        assert list(await process.board.hosts()) == [report]


async def test_who_keeps_announcing_is_there_until_it_ends(settings: Settings) -> None:
    async def describe() -> Presence:
        return presence("a")

    async with open_process(settings, "test") as process:
        other = PresenceBoard(process.connection)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.board.keep_announcing, describe)
            await seen(other, "a")
            tasks.cancel_scope.cancel()
        await seen(other)


async def test_foreign_entries_are_passed_over(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.jetstream.publish("$KV.actors.junk", b"junk")
        await process.connection.jetstream.publish("$KV.actors.more.junk", b"{}")
        await process.connection.jetstream.publish("$KV.actors.gone", b"")
        await process.board.announce(presence("a"))
        await seen(process.board, "a")


async def test_the_board_is_a_key_value_bucket_that_forgets(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await process.board.announce(presence("a"))
        await seen(process.board, "a")
        bucket = await process.connection.jetstream.key_value("actors")
        assert len(await bucket.keys()) == 1
        status = await bucket.status()
        assert status.ttl == 10.0


async def test_of_two_executors_of_one_name_the_younger_counts(settings: Settings) -> None:
    now = datetime.now(UTC)
    async with open_process(settings, "test") as process:
        for instance, age_s, num_cpus in (("new", 0, 8), ("fallen", 60, 4)):
            report = HostReport(host="gpu-box", num_cpus=num_cpus)
            started_at = now - timedelta(seconds=age_s)
            await process.board.announce(
                presence(instance, ActorKind.EXECUTOR, report=report, started_at=started_at)
            )
        await seen(process.board, "fallen", "new")
        assert [host.num_cpus for host in await process.board.hosts()] == [8]


async def test_news_of_a_model_is_announced_at_once(settings: Settings) -> None:
    model = ModelReport(
        model="m",
        provider="local",
        source="local",
        strategies=("standard",),
        default_strategy="standard",
    )
    described: list[bool] = []

    async def describe() -> Presence:
        described.append(True)
        resident = len(described) > 3
        models = (model.model_copy(update={"resident": resident}),)
        report = HostReport(host="gpu-box", num_cpus=1, models=models)
        return presence("a", ActorKind.EXECUTOR, report=report)

    async with open_process(settings, "test") as process:
        other = PresenceBoard(process.connection)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(process.board.keep_announcing, describe, look_every_s=0.01))
            with anyio.fail_after(20):
                while not any(
                    one.report.models[0].resident
                    for one in await other.present(max_age_s=0)
                    if one.report is not None
                ):
                    await anyio.sleep(0.01)
            # Long before the next announcement was due anyway.
            info = await process.connection.jetstream.stream_info("KV_actors")
            assert info.state.last_seq == 2
            tasks.cancel_scope.cancel()
