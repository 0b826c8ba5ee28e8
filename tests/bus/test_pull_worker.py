"""Pull workers: as many messages at a time as there are slots, and none is lost or delayed."""

import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import ConsumerInfo, RetentionPolicy

from bus.connection import Connection
from bus.pull_worker import Delivery, Handle, PullWorker, Reject, Retry, backoff_s
from bus.topology import Consumer, Stream, ensure_consumer, ensure_stream
from promptbus.nats_server import NatsServer
from tests.bus.tools import raw_client, until, wire_to

STREAM = Stream("WORK", ("work.*",), RetentionPolicy.WORK_QUEUE)
PATIENT = Consumer("WORK", "patient", "work.a", 60.0)
HASTY = Consumer("WORK", "hasty", "work.a", 1.0)


class Bench:
    """A queue on a real server, and what its handlers did."""

    def __init__(self, connection: Connection, consumer: Consumer) -> None:
        self.connection = connection
        self.consumer = consumer
        self.done: Counter[bytes] = Counter()
        self.begun: list[bytes] = []
        self.num_active = 0
        self.max_active = 0

    async def submit(self, *names: str) -> None:
        """Put messages into the queue."""
        for name in names:
            await self.connection.jetstream.publish("work.a", name.encode(), timeout=20)

    @asynccontextmanager
    async def at_work(self, delivery: Delivery) -> AsyncIterator[None]:
        """Count a handler's work."""
        self.begun.append(delivery.data)
        self.num_active += 1
        self.max_active = max(self.max_active, self.num_active)
        try:
            yield
            self.done[delivery.data] += 1
        finally:
            self.num_active -= 1

    async def info(self) -> ConsumerInfo:
        """The queue as the server sees it."""
        return await self.connection.jetstream.consumer_info("WORK", self.consumer.name)

    async def is_empty(self) -> None:
        """Return when nothing waits and nothing is unacknowledged."""
        with anyio.fail_after(20):
            while True:
                info = await self.info()
                if not info.num_pending and not info.num_ack_pending:
                    return
                await anyio.sleep(0.02)


@asynccontextmanager
async def bench(server: NatsServer, consumer: Consumer = PATIENT) -> AsyncIterator[Bench]:
    """An empty queue."""
    async with Connection(server.address, "test") as connection:
        await ensure_stream(connection.jetstream, STREAM.config(1))
        await ensure_consumer(connection.jetstream, consumer)
        yield Bench(connection, consumer)


@asynccontextmanager
async def serving(worker: PullWorker) -> AsyncIterator[PullWorker]:
    """The worker at work; stopped in order at the end."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(worker.run)
        try:
            yield worker
        finally:
            worker.stop()


def make(found: Bench, handle: Handle, max_in_flight: int = 4) -> PullWorker:
    """A worker on that queue."""
    return PullWorker(found.connection, found.consumer, handle, max_in_flight=max_in_flight)


@pytest.mark.parametrize("seed", range(6))
async def test_all_messages_are_handled_once_and_never_more_at_a_time_than_allowed(
    nats_server: NatsServer, seed: int
) -> None:
    chance = random.Random(seed)
    max_in_flight, longest_s = chance.randint(1, 9), chance.choice((0, 0.001, 0.02))
    names = [f"m{number}" for number in range(80)]
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep(chance.uniform(0, longest_s))

        await found.submit(*names[:30])
        async with serving(make(found, handle, max_in_flight)):
            await found.submit(*names[30:])
            await until(lambda: found.done.total() >= len(names))
            await found.is_empty()
        assert found.done == Counter(name.encode() for name in names)
        assert found.max_active <= max_in_flight
        if longest_s:
            assert found.max_active == max_in_flight


async def test_two_workers_share_a_queue(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found:
        shares: Counter[str] = Counter()

        def handler(name: str) -> Handle:
            async def handle(delivery: Delivery) -> None:
                async with found.at_work(delivery):
                    shares[name] += 1
                    await anyio.sleep(0.01)

            return handle

        async with (
            serving(make(found, handler("one"), 2)),
            serving(make(found, handler("two"), 2)),
        ):
            await found.submit(*(f"m{number}" for number in range(60)))
            await until(lambda: found.done.total() == 60)
        assert set(found.done.values()) == {1}
        assert set(shares) == {"one", "two"}


async def test_a_slow_message_does_not_delay_the_next(nats_server: NatsServer) -> None:
    release = anyio.Event()
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                if delivery.data == b"slow":
                    await release.wait()

        await found.submit("slow", *(f"m{number}" for number in range(20)))
        async with serving(make(found, handle, 2)):
            await until(lambda: found.done.total() == 20)
            assert b"slow" not in found.done
            release.set()
            await until(lambda: found.done.total() == 21)


async def test_a_free_slot_is_filled_while_every_other_is_busy(nats_server: NatsServer) -> None:
    release = anyio.Event()
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                if delivery.data.startswith(b"slow"):
                    await release.wait()

        await found.submit(*(f"slow{number}" for number in range(7)))
        async with serving(make(found, handle, 8)):
            await until(lambda: found.num_active == 7)
            for number in range(10):
                await found.submit(f"m{number}")
                await until(lambda number=number: found.done.total() == number + 1)  # type: ignore[misc]
            release.set()


async def test_long_work_is_not_given_to_another(nats_server: NatsServer) -> None:
    async with bench(nats_server, HASTY) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep(3)

        await found.submit("a", "b")
        async with serving(make(found, handle)), serving(make(found, handle)):
            await until(lambda: found.done.total() == 2)
            await found.is_empty()
        assert found.begun == [b"a", b"b"] or found.begun == [b"b", b"a"]


async def test_a_message_to_be_retried_comes_back_and_counts_its_deliveries(
    nats_server: NatsServer,
) -> None:
    seen: list[tuple[bytes, int, int]] = []
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            seen.append((delivery.data, delivery.num_delivered, delivery.stream_sequence))
            if delivery.num_delivered == 1:
                raise Retry(0.05)
            if delivery.num_delivered == 2:
                raise ValueError("a fault nobody foresaw")

        await found.submit("a")
        async with serving(make(found, handle)):
            await until(lambda: len(seen) == 3)
            await found.is_empty()
        assert seen == [(b"a", 1, 1), (b"a", 2, 1), (b"a", 3, 1)]


async def test_a_rejected_message_never_comes_back(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                if delivery.data == b"bad":
                    raise Reject

        await found.submit("bad", "good")
        async with serving(make(found, handle)):
            await until(lambda: found.done[b"good"] == 1)
            await found.is_empty()
        assert sorted(found.begun) == [b"bad", b"good"]


async def test_a_delivery_tells_what_came(nats_server: NatsServer) -> None:
    seen: list[Delivery] = []
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            seen.append(delivery)

        headers = {"ce-type": "x", "Status": "100", "Nats-Pending-Messages": "7"}
        await found.connection.jetstream.publish("work.a", b"\xff", headers=headers)
        async with serving(make(found, handle)):
            await until(lambda: bool(seen))
        assert (seen[0].subject, seen[0].data, seen[0].num_delivered) == ("work.a", b"\xff", 1)
        assert seen[0].headers["ce-type"] == "x"
        assert seen[0].stored_at_s > 1_700_000_000


async def test_stopping_lets_work_in_flight_finish_and_takes_no_more(
    nats_server: NatsServer,
) -> None:
    release = anyio.Event()
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await release.wait()

        worker = make(found, handle, 2)
        await found.submit("a", "b", "c")
        async with serving(worker):
            await until(lambda: worker.num_in_flight == 2)
            worker.stop()
            await found.submit("d")
            release.set()
        assert found.done == Counter({b"a": 1, b"b": 1})
        info = await found.info()
        assert (info.num_pending, info.num_ack_pending) == (2, 0)


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_what_a_worker_leaves_behind_goes_to_another_at_once(
    nats_server: NatsServer, how: str
) -> None:
    names = [f"m{number}" for number in range(300)]
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep(0.001)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(found.submit, *names)
            for _ in range(10):
                before = found.done.total()
                worker = make(found, handle, 16)
                async with anyio.create_task_group() as working:
                    await working.start(worker.run)
                    await until(lambda before=before: found.done.total() > before)  # type: ignore[misc]
                    if how == "stop":
                        worker.stop()
                    else:
                        working.cancel_scope.cancel()
            async with serving(make(found, handle, 16)):
                # Far less than the 60 s after which the server would deliver them again.
                await until(lambda: len(found.done) == len(names), timeout_s=30)
                await found.is_empty()


async def test_cancelled_work_goes_back_at_once(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found:

        async def hang(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep_forever()

        async def finish(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                assert delivery.num_delivered == 2

        await found.submit("a", "b")
        async with anyio.create_task_group() as tasks:
            await tasks.start(make(found, hang).run)
            await until(lambda: found.num_active == 2)
            tasks.cancel_scope.cancel()
        async with serving(make(found, finish)):
            await until(lambda: found.done.total() == 2)


async def test_work_that_outlasts_the_drain_goes_back_at_once(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                if delivery.num_delivered == 1:
                    await anyio.sleep_forever()

        await found.submit("a")
        hung = PullWorker(
            found.connection, found.consumer, handle, max_in_flight=1, drain_s=0.1
        )
        async with serving(hung):
            await until(lambda: found.num_active == 1)
        async with serving(make(found, handle)):
            await until(lambda: found.done.total() == 1)


async def test_a_queue_that_is_deleted_under_load_comes_back(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep(0.005)

        async with serving(make(found, handle)):
            for number in range(2):
                await found.submit(*(f"m{number}-{index}" for index in range(20)))
                await found.connection.jetstream.delete_consumer("WORK", PATIENT.name)
                await until(lambda number=number: len(found.done) == 20 * number + 20)  # type: ignore[misc]
        assert found.max_active <= 4


async def test_work_goes_on_after_a_restart_of_the_server(nats_server: NatsServer) -> None:
    async with bench(nats_server, HASTY) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep(0.005)

        async with serving(make(found, handle)):
            await found.submit(*(f"a{index}" for index in range(20)))
            nats_server.kill()
            await anyio.to_thread.run_sync(nats_server.start)
            await until(lambda: found.connection.is_connected)
            await found.submit(*(f"b{index}" for index in range(20)))
            await until(lambda: len(found.done) == 40, timeout_s=40)
        assert found.max_active <= 4


async def test_a_cut_connection_costs_no_message_and_no_slot(nats_server: NatsServer) -> None:
    names = [f"m{index}" for index in range(150)]
    async with (
        bench(nats_server, HASTY) as found,
        wire_to(nats_server.address) as (address, wire),
        Connection(address, "worker") as connection,
    ):

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep(0.01)

        worker = PullWorker(connection, HASTY, handle, max_in_flight=4)
        async with serving(worker), anyio.create_task_group() as tasks:
            tasks.start_soon(found.submit, *names)
            for enough in (20, 50, 80):
                await until(lambda enough=enough: len(found.done) >= enough)  # type: ignore[misc]
                wire.cut()
            await until(lambda: len(found.done) == len(names), timeout_s=40)
            await found.is_empty()
        assert found.max_active <= 4


async def test_a_server_that_froze_for_a_while_is_asked_again(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                await anyio.sleep(0.02)

        worker = PullWorker(
            found.connection, PATIENT, handle, max_in_flight=3, expires_s=1.0, heartbeat_s=0.2
        )
        pid = nats_server.pid
        assert pid is not None
        async with serving(worker):
            await found.submit("first")
            await until(lambda: found.done.total() == 1)
            os.kill(pid, signal.SIGSTOP)
            try:
                await anyio.sleep(2.5)  # Long enough for the worker to miss three heartbeats.
            finally:
                os.kill(pid, signal.SIGCONT)
            await found.submit(*(f"m{index}" for index in range(60)))
            await until(lambda: len(found.done) == 61)
        assert found.max_active <= 3


async def test_an_idle_worker_renews_what_it_asked_for(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found, raw_client(nats_server.address) as client:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                pass

        requests = await client.subscribe("$JS.API.CONSUMER.MSG.NEXT.WORK.>")
        await client.flush()
        worker = PullWorker(
            found.connection, PATIENT, handle, max_in_flight=5, expires_s=0.5, heartbeat_s=0.1
        )
        async with serving(worker):
            for _ in range(4):
                request = await requests.next_msg(timeout=20)
                assert b'"batch": 5' in request.data
            await found.submit("a")
            await until(lambda: found.done.total() == 1)
            assert ((await found.info()).num_waiting or 0) <= 2


async def test_an_unknown_status_only_makes_the_worker_look_again(nats_server: NatsServer) -> None:
    async with bench(nats_server) as found, raw_client(nats_server.address) as client:

        async def handle(delivery: Delivery) -> None:
            async with found.at_work(delivery):
                pass

        requests = await client.subscribe("$JS.API.CONSUMER.MSG.NEXT.WORK.>")
        await client.flush()
        async with serving(make(found, handle)):
            inbox = (await requests.next_msg(timeout=20)).reply
            for headers in ({"Status": "999"}, {"Nats-Pending-Messages": "-5"}, {"a": "b"}):
                await client.publish(inbox, b"junk", headers=headers)
            await client.publish(inbox, b"junk", headers={"Nats-Pending-Messages": "many"})
            await client.publish(inbox, b"junk", reply="$JS.ACK.junk")
            await client.flush()
            await found.submit(*(f"m{index}" for index in range(20)))
            await until(lambda: len(found.done) == 20)
        assert found.max_active <= 4


@given(st.integers(1, 10_000), st.floats(0.01, 10), st.floats(10, 100))
def test_pauses_grow_and_stay_below_their_limit(number: int, base_s: float, max_s: float) -> None:
    pause_s = backoff_s(number, base_s=base_s, max_s=max_s)
    assert base_s / 2 <= pause_s <= max_s
    assert pause_s <= base_s * 2 ** min(number - 1, 60)
