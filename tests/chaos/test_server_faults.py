"""Servers of a cluster fall in every way: clients and actors ride it out, and nothing is lost."""

import os
import signal
from collections.abc import Awaitable, Callable, Iterator

import anyio
import pytest

from api.readiness import Readiness
from bus.topology import PROMPTS, RUNS, TASKS
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.run_id import new_run_id
from contracts.task import AnalyzePrompt
from promptbus.nats_server import NatsServer
from tests.chaos.town import Town, Visit, open_town, visit

pytestmark = pytest.mark.slow

AWAY_S = 10.0
# The longest election of a cluster takes nine seconds; then a run takes one.
BACK_S = 30.0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The town of all these tests; each leaves it whole."""
    with open_town(tmp_path_factory.mktemp("town")) as town:
        yield town


async def leader_of(here: Visit, stream: str) -> str:
    """The server that leads a stream."""
    cluster = (await here.process.connection.jetstream.stream_info(stream)).cluster
    assert cluster is not None
    assert cluster.leader is not None
    return str(cluster.leader)


async def kill_the_leader(town: Town, here: Visit) -> None:
    server = town.server(await leader_of(here, RUNS))
    server.kill()
    await anyio.sleep(2)
    server.launch()


async def kill_a_follower(town: Town, here: Visit) -> None:
    leader = town.server(await leader_of(here, RUNS))
    follower = next(server for server in town.servers if server is not leader)
    follower.kill()
    await anyio.sleep(2)
    follower.launch()


async def freeze_the_leader(town: Town, here: Visit) -> None:
    server = town.server(await leader_of(here, RUNS))
    send(server, signal.SIGSTOP)
    try:
        await anyio.sleep(6)
    finally:
        send(server, signal.SIGCONT)


async def restart_one_after_the_other(town: Town, here: Visit) -> None:
    for server in town.servers:
        await anyio.to_thread.run_sync(server.stop)
        server.launch()
        await anyio.to_thread.run_sync(server.wait_until_healthy)


async def kill_all_for_a_while(town: Town, here: Visit) -> None:
    for server in town.servers:
        server.kill()
    await anyio.sleep(AWAY_S)
    for server in town.servers:
        server.launch()


def send(server: NatsServer, number: signal.Signals) -> None:
    """Send a signal to a server that runs."""
    assert server.pid is not None
    os.kill(server.pid, number)


@pytest.mark.parametrize(
    "befall",
    [
        kill_the_leader,
        kill_a_follower,
        freeze_the_leader,
        restart_one_after_the_other,
        kill_all_for_a_while,
    ],
)
async def test_every_accepted_prompt_is_answered_by_the_same_process(
    town: Town, befall: Callable[[Town, Visit], Awaitable[None]]
) -> None:
    pid = town.actors.pid
    async with visit(town) as here:
        await here.answer(BACK_S)
        await befall(town, here)
        await here.answer(BACK_S)
    assert town.actors.pid == pid, town.actors.log.read_text()[-2000:]


async def test_consumers_that_are_deleted_under_load_are_back_within_ten_seconds(
    town: Town,
) -> None:
    async with visit(town) as here:
        await here.answer(BACK_S)
        jetstream = here.process.connection.jetstream
        await jetstream.delete_consumer(PROMPTS, "coordinator-normal")
        for name in ("analyzer", "monitor", "executor-echo-normal", "validator"):
            await jetstream.delete_consumer(TASKS, name)
        await here.answer(10.0)


async def test_copies_of_a_message_on_their_way_at_once_are_stored_once(town: Town) -> None:
    async with visit(town) as here:
        task = AnalyzePrompt(run_id=new_run_id(), prompt="hi")
        stored: list[int] = []

        async def publish() -> None:
            found = await here.process.publisher.publish(
                subjects.tasks(ActorKind.ANALYZER), task, message_id=task.run_id
            )
            stored.append(found.sequence)

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(publish)
        assert len(stored) == 50
        assert len(set(stored)) == 1


async def test_without_a_majority_nothing_is_ready_though_a_server_answers(town: Town) -> None:
    async with visit(town) as here:
        await here.answer(BACK_S)
        connection = here.process.connection
        readiness = Readiness(connection, here.process.board, version="1", timeout_s=1.0)
        assert (await readiness.check()).status == "ready"
        others = [s for s in town.servers if s.address.urls[0] != connected_url(here)][:2]
        for server in others:
            server.kill()
        try:
            found = await readiness.check()
            assert connection.is_connected
            parts = {part.name: part.detail for part in found.parts if not part.ready}
            assert {PROMPTS, TASKS, RUNS} <= set(parts)
            silent, headless = "stored nothing within 1 s", "is not there, or has no leader"
            assert parts[RUNS] in (f"{RUNS} {silent}", f"{RUNS} {headless}")
        finally:
            for server in others:
                server.launch()
        with anyio.fail_after(BACK_S):
            while (await readiness.check()).status != "ready":
                await anyio.sleep(0.2)


def connected_url(here: Visit) -> str:
    """The server that the client is connected to."""
    url = here.process.connection.client.connected_url
    assert url is not None
    return f"nats://{url.hostname}:{url.port}"
