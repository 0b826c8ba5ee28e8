"""How long a person waits for the command line."""

import subprocess
import sys
import tempfile
import time

from benchmarks.contestant import ROOT, ContestantFailed
from benchmarks.figure import Figure, judged
from benchmarks.measure import p50
from benchmarks.promptbus_system import own_environment, stop

MAX_HELP_S = 0.4
MAX_FIRST_TOKEN_S = 12.0
PROMPTBUS = (sys.executable, "-m", "promptbus")


def help_figure(num: int = 10) -> Figure:
    """``promptbus --help``, beside an interpreter that does nothing."""
    helps, bares = [], []
    for _ in range(num):
        bares.append(_wall_s((sys.executable, "-c", "pass")))
        helps.append(_wall_s((*PROMPTBUS, "--help")))
    return Figure(
        name=f"promptbus --help, median of {num}",
        value=f"{p50(helps):.2f} s",
        beside=f"python alone {p50(bares):.2f} s",
        mark=f"< {MAX_HELP_S:g} s",
        met=judged(holds=p50(helps) < MAX_HELP_S),
    )


def ask_figure(num: int = 3) -> Figure:
    """``promptbus ask`` where nothing runs and nothing was stored, to the first token."""
    times = [_first_token_s() for _ in range(num)]
    firsts = [first_s for first_s, _ in times]
    whole = p50([whole_s for _, whole_s in times])
    return Figure(
        name=f"promptbus ask from nothing to the first token, median of {num}",
        value=f"{p50(firsts):.1f} s",
        beside=f"until it has ended {whole:.1f} s",
        mark=f"< {MAX_FIRST_TOKEN_S:g} s",
        met=judged(holds=p50(firsts) < MAX_FIRST_TOKEN_S),
    )


def _wall_s(argv: tuple[str, ...]) -> float:
    started = time.perf_counter()
    subprocess.run(argv, cwd=ROOT, env=own_environment(), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _first_token_s() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        argv = (*PROMPTBUS, "ask", "What is the capital of Peru?", "--data-dir", folder)
        started = time.perf_counter()
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=own_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        try:
            if process.stdout is None or not process.stdout.read(1):
                raise ContestantFailed("promptbus ask said nothing")
            first_s = time.perf_counter() - started
            process.stdout.read()
            if process.wait(60) != 0:
                raise ContestantFailed(f"promptbus ask ended with {process.returncode}")
            return first_s, time.perf_counter() - started
        finally:
            stop(process)
