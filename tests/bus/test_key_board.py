"""Keys on the bus: found by every process, revoked everywhere, there after a restart."""

from datetime import UTC, datetime

import anyio
import pytest

from bus.connection import Connection
from bus.key_board import KeyBoard
from bus.publisher import Publisher
from bus.topology import declare, ensure
from contracts.api_key import Scope, new_api_key
from contracts.errors import InvalidInput
from promptbus.nats_server import NatsServer

NOW = datetime.now(UTC)


def _board(connection: Connection) -> KeyBoard:
    return KeyBoard(connection, Publisher(connection, "test"))


async def test_a_key_is_found_and_its_revocation_felt_by_others(nats_server: NatsServer) -> None:
    async with (
        Connection(nats_server.address, "one") as one,
        Connection(nats_server.address, "two") as two,
    ):
        await ensure(one.jetstream, declare())
        ours, theirs = _board(one), _board(two)
        token, key = new_api_key("ana", (Scope.READ,), now=NOW)
        assert await theirs.find(token, NOW) is None
        await ours.add(key)
        assert await ours.find(token, NOW) == key

        with anyio.fail_after(5):
            while await theirs.find(token, NOW) is None:
                await anyio.sleep(0.05)
        assert await theirs.find(token[:-1] + ("A" if token[-1] != "A" else "B"), NOW) is None
        revoked = await ours.revoke(key.key_id, NOW)
        assert revoked.revoked_at is not None
        with anyio.fail_after(5):
            while await theirs.is_usable(key.key_id, NOW):
                await anyio.sleep(0.05)
        assert await theirs.find(token, NOW) is None
        again = await theirs.revoke(key.key_id, datetime.now(UTC))
        assert again.revoked_at == revoked.revoked_at


async def test_keys_outlive_the_server(nats_server: NatsServer) -> None:
    _, key = new_api_key("ana", (Scope.READ,), now=NOW)
    async with Connection(nats_server.address, "one") as connection:
        await ensure(connection.jetstream, declare())
        await _board(connection).add(key)
    nats_server.stop()
    nats_server.start()
    async with Connection(nats_server.address, "two") as connection:
        assert await _board(connection).read_all() == {key.key_id: key}


@pytest.mark.parametrize("key_id", ["0123456789ab", "*", ">", "a.b", ""])
async def test_an_unknown_key_cannot_be_revoked(nats_server: NatsServer, key_id: str) -> None:
    async with Connection(nats_server.address, "one") as connection:
        await ensure(connection.jetstream, declare())
        with pytest.raises(InvalidInput, match="no such key"):
            await _board(connection).revoke(key_id, NOW)
