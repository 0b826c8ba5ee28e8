"""Pull workers when workers leave, queues vanish, connections break or the server freezes."""

import os
import signal

import anyio
import pytest

from bus.connection import Connection
from bus.pull_worker import Delivery, PullWorker
from promptbus.nats_server import NatsServer
from tests.bus.queue_bench import HASTY, PATIENT, bench, make, serving
from tests.bus.tools import raw_client, until, wire_to


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
            for share in range(20, 201, 20):
                worker = make(found, handle, 16)
                async with anyio.create_task_group() as working:
                    await working.start(worker.run)
                    await until(lambda share=share: found.done.total() > share)  # type: ignore[misc]
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
        hung = PullWorker(found.connection, found.consumer, handle, max_in_flight=1, drain_s=0.1)
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
