"""The topology: made once by whoever comes first, checked by everybody else."""

from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import anyio
import pytest
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType
from nats.js.errors import NotFoundError

from bus.connection import Connection
from bus.publisher import Publisher
from bus.topology import (
    PROMPTS,
    RUNS,
    SPANS,
    TASKS,
    TOKENS,
    Topology,
    declare,
    ensure,
    ensure_consumer,
    executor_consumer,
    prompt_consumer,
    restore,
)
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import StreamLost, TopologyDrift
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import AnalyzePrompt, GenerateAnswer
from promptbus.nats_server import NatsServer
from tests.bus.tools import until

BUCKETS = {"KV_actors", "KV_attempts", "KV_keys", "KV_placements", "OBJ_payloads"}
STREAMS = {"PROMPTS", "TASKS", "RUNS", "TOKENS", "SPANS", "DEAD"} | BUCKETS


async def test_everything_declared_is_made(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await ensure(connection.jetstream, declare())
        found = {
            info.config.name: info.config for info in await connection.jetstream.streams_info()
        }
        assert set(found) == STREAMS
        assert found[PROMPTS].retention == RetentionPolicy.WORK_QUEUE
        assert found[PROMPTS].storage == StorageType.FILE
        assert found[TASKS].storage == StorageType.MEMORY
        assert found[TOKENS].storage == StorageType.MEMORY
        assert found[SPANS].storage == StorageType.FILE
        assert found[RUNS].max_age == 7 * 24 * 3600
        assert found[RUNS].republish is not None
        leases = [
            await connection.jetstream.consumer_info(PROMPTS, f"coordinator-{p}") for p in Priority
        ]
        assert {lease.config.ack_wait for lease in leases} == {10.0}
        tasks = {info.name for info in await connection.jetstream.consumers_info(TASKS)}
        assert tasks == {"analyzer", "history", "monitor", "validator", "summarizer"}


async def test_making_it_again_changes_nothing(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await ensure(connection.jetstream, declare())
        before = await connection.jetstream.stream_info(RUNS)
        await ensure(connection.jetstream, declare())
        await restore(connection.jetstream, declare())
        after = await connection.jetstream.stream_info(RUNS)
        assert after.created == before.created
        assert len(await connection.jetstream.consumers_info(TASKS)) == 5


async def test_many_processes_may_make_it_at_once(nats_server: NatsServer) -> None:
    async def make(name: str) -> None:
        async with Connection(nats_server.address, name) as connection:
            await ensure(connection.jetstream, declare())

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(make, f"test-{number}")
    async with Connection(nats_server.address, "test") as connection:
        assert len(await connection.jetstream.streams_info()) == len(STREAMS)


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        (RUNS, {"max_age_s": 3600.0}, "max_age"),
        (TASKS, {"max_bytes": -1}, "max_bytes"),
        (PROMPTS, {"retention": RetentionPolicy.LIMITS}, "retention"),
        (RUNS, {"republish_to": None}, "republish"),
        (SPANS, {"synced": True}, "persist_mode"),
        ("DEAD", {"subjects": ("dead.*", "more.*")}, "subjects"),
    ],
)
async def test_a_stream_that_differs_is_named_with_the_field(
    nats_server: NatsServer, name: str, changes: dict[str, object], field: str
) -> None:
    declared = next(stream for stream in declare().streams if stream.name == name)
    async with Connection(nats_server.address, "test") as connection:
        other = replace(declared, **changes)  # type: ignore[arg-type] # any of its fields
        await ensure(connection.jetstream, Topology((other,), (), ()))
        with pytest.raises(TopologyDrift) as caught:
            await ensure(connection.jetstream, Topology((declared,), (), ()))
        assert caught.value.field == field
        assert str(caught.value).startswith(f"stream {name}: {field} is ")


@pytest.mark.parametrize("name", [RUNS, PROMPTS])
async def test_what_cannot_be_made_anew_is_missed_when_it_vanished(
    nats_server: NatsServer, name: str
) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await ensure(connection.jetstream, declare())
        await connection.jetstream.delete_stream(name)
        with pytest.raises(StreamLost, match=f"stream {name} has vanished") as caught:
            await ensure(connection.jetstream, declare())
        assert caught.value.stream == name
        # What every process does after a reconnect; consumers of what is gone cannot be made.
        with suppress(NotFoundError):
            await restore(connection.jetstream, declare())
        with pytest.raises(NotFoundError):
            await connection.jetstream.stream_info(name)


async def test_any_number_of_processes_may_make_everything_at_once(
    nats_server: NatsServer,
) -> None:
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(Connection(nats_server.address, f"{number}"))
            for number in range(8)
        ]
        async with anyio.create_task_group() as tasks:
            for connection in connections:
                tasks.start_soon(ensure, connection.jetstream, declare())
        assert (await connections[0].jetstream.stream_info(RUNS)).state.messages == 0


async def test_something_added_by_another_hand_is_named(nats_server: NatsServer) -> None:
    declared = next(stream for stream in declare().streams if stream.name == "DEAD")
    async with Connection(nats_server.address, "test") as connection:
        await connection.jetstream.add_stream(declared.config(1), max_msgs=5)
        with pytest.raises(TopologyDrift) as caught:
            await ensure(connection.jetstream, Topology((declared,), (), ()))
        assert caught.value.field == "max_msgs"


async def test_a_consumer_that_differs_is_named_with_the_field(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await ensure(connection.jetstream, declare(lease_s=10))
        with pytest.raises(TopologyDrift) as caught:
            await ensure(connection.jetstream, declare(lease_s=20))
        assert caught.value.field == "ack_wait"
        assert "coordinator-" in str(caught.value)


async def test_a_consumer_with_another_filter_is_found(nats_server: NatsServer) -> None:
    lease = prompt_consumer(Priority.BATCH)
    async with Connection(nats_server.address, "test") as connection:
        jetstream = connection.jetstream
        await ensure(jetstream, Topology(declare().streams, (), ()))
        config: ConsumerConfig = replace(lease, filter_subjects=("prompts.normal",)).config()
        await jetstream.add_consumer(PROMPTS, config)
        with pytest.raises(TopologyDrift, match="filter_subject"):
            await ensure_consumer(jetstream, lease)


@pytest.mark.parametrize(
    "model", ["a/b", "qwen2.5:7b", "*", ">", "a b", "模型", "ü" * 90, "x" * 200, "/" * 200]
)
async def test_any_model_has_a_queue_of_its_own(nats_server: NatsServer, model: str) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await ensure(connection.jetstream, declare())
        consumer = executor_consumer(model, Priority.NORMAL)
        neighbour = executor_consumer("neighbour", Priority.NORMAL)
        for each in (consumer, neighbour, consumer):
            await ensure_consumer(connection.jetstream, each)
        publisher = Publisher(connection, "test")
        task = GenerateAnswer(run_id=new_run_id(), model=model, prompt="hi")
        await publisher.publish(subjects.executor_tasks(model, Priority.NORMAL), task)
        info = await connection.jetstream.consumer_info(TASKS, consumer.name)
        assert info.num_pending == 1
        other = await connection.jetstream.consumer_info(TASKS, neighbour.name)
        assert other.num_pending == 0


async def test_what_a_restarted_server_forgot_is_made_again(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await ensure(connection.jetstream, declare())
        nats_server.kill()
        await anyio.to_thread.run_sync(nats_server.start)
        await until(lambda: connection.is_connected)
        await restore(connection.jetstream, declare())
        task = AnalyzePrompt(run_id=new_run_id(), prompt="hi")
        await Publisher(connection, "test").publish(subjects.tasks(ActorKind.ANALYZER), task)
        info = await connection.jetstream.consumer_info(TASKS, "analyzer")
        assert info.num_pending == 1


async def test_a_limit_that_was_raised_by_hand_is_left_as_it_is(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        await ensure(connection.jetstream, declare())
        config = (await connection.jetstream.stream_info(RUNS)).config
        config.max_bytes = 2 * (config.max_bytes or 0)
        await connection.jetstream.update_stream(config)
        await ensure(connection.jetstream, declare())
        assert (await connection.jetstream.stream_info(RUNS)).config.max_bytes == config.max_bytes
