"""``promptbus actor``: one kind against a given server, ended in order, refused with a cure."""

import signal
from functools import partial
from pathlib import Path

import anyio
import pytest
from nats.js.errors import NotFoundError

from bus.connection import BusAddress
from bus.topology import RUNS
from promptbus.nats_server import NatsServer
from promptbus.process import open_process
from promptbus.settings import Settings
from tests.promptbus.commands import environment, promptbus, promptbus_each, started, until_said


def test_an_actor_serves_until_it_is_asked_to_end(nats_server: NatsServer, tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        log = tmp_path / f"{number.name}.log"
        with started("actor", "validator", log=log, env=at(nats_server.address)) as process:
            until_said("validator is serving", log)
            process.send_signal(number)
            assert process.wait(30) == 0
        assert log.read_text() == "validator is serving\n"


def test_a_kind_that_is_none_is_misuse_and_without_a_server_the_cure_is_named() -> None:
    *misused, last = promptbus_each(
        [["actor", kind] for kind in ("zebra", "", "Executor", "a;ls", "validator")]
    )
    for done in misused:
        assert done.code == 2
        assert done.err.startswith("error actor: there is no ")
        assert " help choose one of: analyzer, " in done.err
    assert last.code == 1
    assert last.err.splitlines() == [
        "error no NATS server is set",
        " help set PROMPTBUS_NATS_URL, or run `promptbus up`",
    ]


def test_a_wrong_password_is_told_and_not_shown(nats_server: NatsServer) -> None:
    wrong = BusAddress(nats_server.address.urls, "promptbus", "wrong-words")
    done = promptbus("actor", "validator", env=at(wrong))
    assert done.code == 1
    assert "authorization" in done.err.lower()
    assert "wrong-words" not in done.err


def test_a_stream_of_another_make_is_told(nats_server: NatsServer, tmp_path: Path) -> None:
    env = at(nats_server.address)
    with started("actor", "validator", log=tmp_path / "log", env=env):
        until_said("validator is serving", tmp_path / "log")
        done = promptbus("actor", "validator", env=env, PROMPTBUS_LEASE_S="33")
    assert done.code == 1
    assert "ack_wait is 10.0, expected 33.0" in done.err
    assert " help run `promptbus doctor`" in done.err


def test_several_kinds_share_a_process_and_each_tells(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with started("actor", "validator", "analyzer", log=log, env=at(nats_server.address)) as process:
        until_said("analyzer is serving", log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert log.read_text() == "validator is serving\nanalyzer is serving\n"


def test_the_api_is_served_alone(nats_server: NatsServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started("api", "--port", "0", log=log, env=at(nats_server.address)) as process:
        until_said("the API is serving on http://127.0.0.1:", log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


async def test_journals_that_vanished_are_missed_and_not_made_anew(
    nats_server: NatsServer, settings: Settings
) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.jetstream.delete_stream(RUNS)
        done = await anyio.to_thread.run_sync(
            partial(promptbus, "actor", "validator", env=at(nats_server.address))
        )
        assert done.code == 1
        assert "error stream RUNS has vanished" in done.err
        assert " help restore it from a backup" in done.err
        with pytest.raises(NotFoundError):
            await process.connection.jetstream.stream_info(RUNS)


def at(address: BusAddress) -> dict[str, str]:
    """The environment of a process at that server."""
    return environment(
        PROMPTBUS_NATS_URL=",".join(address.urls),
        PROMPTBUS_NATS_USER=str(address.user),
        PROMPTBUS_NATS_PASSWORD=str(address.password),
    )
