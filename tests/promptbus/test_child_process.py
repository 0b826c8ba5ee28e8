"""Children: bound to the life of their parent, out of reach of its keyboard, ended in order."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from promptbus.child_process import spawn, stop
from tests.promptbus.commands import environment, is_alive, until, until_said

_SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
_STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('deaf', flush=True)\n"
    "time.sleep(600)",
]
_PARENT = """
import sys, time
from promptbus.child_process import spawn
print(spawn([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""


def test_a_child_ends_when_asked() -> None:
    process = spawn(_SLEEP)
    assert stop(process) == -signal.SIGTERM
    assert stop(process) == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = spawn(_STUBBORN, log=file)
    until_said("deaf", log)
    assert stop(process, timeout_s=0.2) == -signal.SIGKILL


def test_a_child_gets_the_environment_it_is_given(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = spawn(["/bin/sh", "-c", 'echo "told $WORD"'], env={"WORD": "hi"}, log=file)
    assert process.wait(20) == 0
    assert log.read_text() == "told hi\n"


def test_the_keyboard_reaches_the_parent_alone() -> None:
    process = spawn(_SLEEP)
    try:
        assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
    finally:
        stop(process)


def test_a_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], env=environment(), stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    until(lambda: not is_alive(pid))
