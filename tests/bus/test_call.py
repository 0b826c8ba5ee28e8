"""Calls: answered once, with the answer or the error of whoever took them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from bus.call import Caller, CallServer
from bus.connection import Connection
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.call import ListRuns, LoadModel, RunPage
from contracts.errors import DeadlineExceeded, InvalidInput, NotReady, RemoteError
from promptbus.nats_server import NatsServer

SUBJECT = subjects.call(ActorKind.EXECUTOR, "any/host *")


@asynccontextmanager
async def serving(connection: Connection, server: CallServer) -> AsyncIterator[Caller]:
    """A caller, while ``server`` answers."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(server.run)
        yield Caller(connection)
        tasks.cancel_scope.cancel()


async def test_a_call_is_answered_by_one_of_those_that_share_it(nats_server: NatsServer) -> None:
    taken: list[str] = []

    def answering(name: str) -> CallServer:
        async def answer(call: ListRuns) -> RunPage:
            taken.append(name)
            return RunPage(cursor=call.query)

        return CallServer(connection, subject, {ListRuns: answer}, queue="history")

    subject = subjects.call(ActorKind.HISTORY)
    async with Connection(nats_server.address, "test") as connection:
        async with serving(connection, answering("one")), serving(connection, answering("two")):
            caller = Caller(connection)
            for number in range(20):
                page = await caller.call(subject, ListRuns(query=str(number)), RunPage, timeout_s=5)
                assert page.cursor == str(number)
    assert len(taken) == 20
    assert set(taken) == {"one", "two"}


async def test_errors_travel_and_surprises_lose_their_text(nats_server: NatsServer) -> None:
    async def answer(call: LoadModel) -> RunPage:
        if call.model == "bad":
            raise InvalidInput(field="model", reason="is bad", cure="be good")
        raise RuntimeError("a surprise")

    async with Connection(nats_server.address, "test") as connection:
        server = CallServer(connection, SUBJECT, {LoadModel: answer})
        async with serving(connection, server) as caller:
            with pytest.raises(RemoteError) as caught:
                await caller.call(SUBJECT, LoadModel(model="bad"), RunPage, timeout_s=5)
            found = caught.value.to_wire()
            assert (found.code, found.status, found.field) == ("invalid_input", 422, "model")
            with pytest.raises(RemoteError) as caught:
                await caller.call(SUBJECT, LoadModel(model="odd"), RunPage, timeout_s=5)
            assert caught.value.to_wire().status == 500
            with pytest.raises(RemoteError) as caught:
                await caller.call(SUBJECT, ListRuns(), RunPage, timeout_s=5)
            assert caught.value.to_wire().code == "malformed_message"
            await connection.client.publish(SUBJECT, b"junk")
            await connection.client.publish(SUBJECT, b"junk", reply="nobody.listens")
            with pytest.raises(RemoteError):
                await caller.call(SUBJECT, LoadModel(model="bad"), RunPage, timeout_s=5)


async def test_who_is_not_there_is_named_at_once(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        with anyio.fail_after(2), pytest.raises(NotReady, match="executor"):
            await Caller(connection).call(SUBJECT, LoadModel(model="m"), RunPage, timeout_s=60)


async def test_a_long_call_is_waited_for_and_its_time_is_kept(nats_server: NatsServer) -> None:
    async def answer(call: LoadModel) -> RunPage:
        await anyio.sleep(float(call.model))
        return RunPage(cursor="done")

    async with Connection(nats_server.address, "test") as connection:
        server = CallServer(connection, SUBJECT, {LoadModel: answer})
        async with serving(connection, server) as caller:
            page = await caller.call(SUBJECT, LoadModel(model="2.5"), RunPage, timeout_s=20)
            assert page.cursor == "done"
            with pytest.raises(DeadlineExceeded, match="LoadModel"):
                await caller.call(SUBJECT, LoadModel(model="60"), RunPage, timeout_s=0.2)
