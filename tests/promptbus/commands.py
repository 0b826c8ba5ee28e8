"""What tests of processes share: the real command, run to its end or started, and always ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


def environment(**variables: str) -> dict[str, str]:
    """The environment without settings of whoever runs the tests, and with ``variables``."""
    foreign = ("PROMPTBUS_", "OTEL_", "COLUMNS", "XDG_DATA_HOME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONPATH": str(REPOSITORY), **variables}


def python(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = PATIENCE_S,
) -> Done:
    """Run this interpreter to its end."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=dict(env or environment()),
        input=stdin,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def promptbus(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b"", **variables: str
) -> Done:
    """Run ``promptbus`` to its end."""
    return python(
        "-m", "promptbus", *arguments, env={**(env or environment()), **variables}, stdin=stdin
    )


def promptbus_each(
    commands: Sequence[Sequence[str]], *, env: Mapping[str, str] | None = None
) -> list[Done]:
    """Run several commands one after the other in one interpreter, which saves its start."""
    done = python("-c", _EACH, env=env, stdin=json.dumps(commands).encode())
    assert done.code == 0, done.err
    return [Done(**one) for one in done.json()]


_EACH = """
import contextlib, io, json, sys
from promptbus.cli import app

done = []
for arguments in json.loads(sys.stdin.read()):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(arguments, prog_name="promptbus")
        except SystemExit as exc:
            code = exc.code
    done.append({"code": code, "out": out.getvalue(), "err": err.getvalue()})
print(json.dumps(done))
"""


@contextmanager
def started(
    *arguments: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``promptbus``, both outputs in ``log``; ended at the latest with the context."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "promptbus", *arguments],
            env=dict(env or environment()),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End it in order, or by force where it does not."""
    if process.poll() is None:
        # One that was stopped would not hear anything else.
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def until(condition: Callable[[], Any], *, log: Path | None = None) -> Any:
    """What ``condition`` returns as soon as it is true; fails with the end of ``log``."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if value := condition():
            return value
        time.sleep(0.02)
    said = log.read_text(errors="replace")[-2000:] if log is not None else ""
    raise AssertionError(f"it did not happen in {PATIENCE_S:g} s; {said}")


def until_said(text: str, log: Path) -> None:
    """Wait until ``log`` holds ``text``."""
    until(lambda: log.exists() and text in log.read_text(errors="replace"), log=log)


def is_alive(pid: int) -> bool:
    """Whether that process runs; a dead one that nobody waited for does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def child(parent: int, *words: str) -> psutil.Process | None:
    """The child of ``parent`` whose command line ends with ``words``, if there is one now."""
    for process in psutil.Process(parent).children():
        try:
            if tuple(process.cmdline()[-len(words) :]) == words:
                return process
        except psutil.NoSuchProcess:
            continue
    return None
