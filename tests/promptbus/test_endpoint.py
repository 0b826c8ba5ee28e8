"""The note of a running promptbus: true while it runs, never believed afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus.connection import BusAddress
from promptbus.endpoint import FILE_NAME, read_endpoint, remove_endpoint, write_endpoint
from tests.promptbus.commands import environment

ADDRESS = BusAddress(("nats://127.0.0.1:4222",), "me", "secret")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_endpoint(tmp_path, ADDRESS, "http://127.0.0.1:8321")
    endpoint = read_endpoint(tmp_path)
    assert endpoint is not None
    assert endpoint.pid == os.getpid()
    assert endpoint.api_url == "http://127.0.0.1:8321"
    assert endpoint.address() == ADDRESS


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("older, and readable by all")
    write_endpoint(tmp_path, ADDRESS, None)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


def test_the_note_of_a_process_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from bus.connection import BusAddress\n"
        "from promptbus.endpoint import write_endpoint\n"
        "write_endpoint(Path(sys.argv[1]), BusAddress(('nats://127.0.0.1:1',)), None)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    argv = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(argv, env=environment()) as writer:
        os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
        assert (tmp_path / FILE_NAME).exists()
        assert read_endpoint(tmp_path) is None, "a zombie does not run"
    assert read_endpoint(tmp_path) is None


def test_another_process_with_the_same_id_is_not_taken_for_the_writer(tmp_path: Path) -> None:
    write_endpoint(tmp_path, ADDRESS, None)
    note = json.loads((tmp_path / FILE_NAME).read_text())
    note["started_at_s"] -= 60
    (tmp_path / FILE_NAME).write_text(json.dumps(note))
    assert read_endpoint(tmp_path) is None
    remove_endpoint(tmp_path)
    assert (tmp_path / FILE_NAME).exists(), "only its writer takes it away"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff\xfe"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert read_endpoint(tmp_path) is None


def test_it_is_gone_after_its_end(tmp_path: Path) -> None:
    write_endpoint(tmp_path, ADDRESS, None)
    remove_endpoint(tmp_path)
    remove_endpoint(tmp_path)
    assert read_endpoint(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
