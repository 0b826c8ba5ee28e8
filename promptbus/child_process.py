"""Child processes that end with their parent, also when the parent is killed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_STOP_S = 10.0

# How the last lines of a command begin that says what is wrong with it.
ERROR_MARK = "error "
CURE_MARK = " help "

# Where the kernel cannot signal a child when its parent dies, a shell looks once a second.
_WATCH = 'while kill -0 "$0" 2>/dev/null; do sleep 1; done; kill -TERM "$1" 2>/dev/null'

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    log: IO[bytes] | int | None = None,
    end_with: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start ``argv`` in a process group of its own, bound to the life of this process.

    Keyboard interrupts reach only the parent, which stops its children in order. ``end_with`` is
    what the kernel sends when the parent is killed.
    """
    parent = os.getpid()
    process = subprocess.Popen(  # noqa: S603 - argv is ours
        [str(part) for part in argv],
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        process_group=0,
        preexec_fn=(lambda: _die_with(parent, end_with)) if _libc is not None else None,  # noqa: PLW1509
    )
    if _libc is None:
        subprocess.Popen(["/bin/sh", "-c", _WATCH, str(parent), str(process.pid)])  # noqa: S603
    return process


def stop(process: subprocess.Popen[bytes], *, timeout_s: float = _STOP_S) -> int:
    """Ask the process to end, kill it when it does not; returns its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _die_with(parent: int, number: signal.Signals) -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)
