"""Pull workers: as many messages at a time as there are slots, and none is lost or delayed."""

import random
from collections import Counter

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.pull_worker import Delivery, Handle, Reject, Retry, backoff_s
from promptbus.nats_server import NatsServer
from tests.bus.queue_bench import HASTY, bench, make, serving
from tests.bus.tools import until


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
        assert found.begun in ([b"a", b"b"], [b"b", b"a"])


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
        # Acknowledgements are not waited for, so the server may still be at it.
        with anyio.fail_after(20):
            while ((info := await found.info()).num_pending, info.num_ack_pending) != (2, 0):
                await anyio.sleep(0.02)


@given(st.integers(1, 10_000), st.floats(0.01, 10), st.floats(10, 100))
def test_pauses_grow_and_stay_below_their_limit(number: int, base_s: float, max_s: float) -> None:
    pause_s = backoff_s(number, base_s=base_s, max_s=max_s)
    assert base_s / 2 <= pause_s <= max_s
    assert pause_s <= base_s * 2 ** min(number - 1, 60)
