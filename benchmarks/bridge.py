"""The bridge: what HTTP and WebSocket add to what lies behind them.

Run: ``python -m benchmarks.bridge [--quick]``. A whole promptbus in processes of its own, the API
alone in one of them; what is compared takes turns within each round, because the speed of a shared
machine drifts. 0 when every mark was met, 1 otherwise.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop
from rich.console import Console

from benchmarks.bare_parts import HOP
from benchmarks.bridge_client import KeptAlive, TokenReader
from benchmarks.contestant import ROOT
from benchmarks.figure import Figure, judged, table_of
from benchmarks.main_job import machine
from benchmarks.measure import compare, p50
from benchmarks.promptbus_system import PromptbusSystem, stop
from bus.token_stream import TokenWriter
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import AnswerGenerated, RunAnswered, RunStarted
from contracts.generation import GenerationRequest, GenerationResult
from contracts.prompt import SubmitPrompt, TaskType
from contracts.run_id import new_run_id
from promptbus.process import Process, open_process
from promptbus.settings import load_settings
from providers.echo_provider import EchoProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

LAYOUT = "coordinator+analyzer+history+monitor+validator+summarizer,executor"
QUESTION = "say these words again"
WORD = "word "

MAX_LIVE_RATIO = 1.3
MAX_DIRECT_MS = 3.0
MIN_FRAMES_PER_S = 10_000
MAX_GROWTH_MIB = 8.0
MIB = 1 << 20

NUM_READERS = 100
# More than the mark asks for, so that the bridge is what limits.
TOKENS_PER_S = 250
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Size:
    """How much of everything is measured."""

    rounds: int
    per_round: int
    num_tokens: int
    num_connections: int


WHOLE = Size(rounds=15, per_round=200, num_tokens=2500, num_connections=10_000)
QUICK = Size(rounds=3, per_round=50, num_tokens=250, num_connections=600)


@dataclass(frozen=True)
class Bench:
    """The processes that are up."""

    process: Process
    api_port: int
    api_pid: int
    bare_port: int


async def main(size: Size, console: Console) -> bool:
    """Measure everything and print it; whether every mark was met."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder)) as found:
            parts = (live_figure, direct_figure, fan_out_figure, memory_figure)
            figures = [await part(found, size) for part in parts]
    console.print(machine())
    console.print(table_of(figures))
    return all(figure.met == "met" for figure in figures)


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """A system, its API in a process of its own, and the bare parts in another."""
    with ExitStack() as stack:
        system = stack.enter_context(PromptbusSystem(folder, LAYOUT))
        os.environ.update(system.environment())
        api = _start(stack, folder, "promptbus", "api", "--port", "0")
        api_port = await _said(folder / "api.log", r"serving on http://127\.0\.0\.1:(\d+)")
        bare_port = 20_000 + os.getpid() % 20_000
        _start(stack, folder, "benchmarks.bare_parts", str(bare_port))
        await _listens(bare_port)
        async with open_process(load_settings(), "benchmark") as process:
            yield Bench(process, api_port, api.pid, bare_port)


async def live_figure(found: Bench, size: Size) -> Figure:
    """How long ``/health/live`` takes."""
    async with (
        KeptAlive(found.api_port, "GET", "/health/live") as ours,
        KeptAlive(found.bare_port, "GET", "/bare") as theirs,
    ):
        mine, bare = await _in_turns((ours.ask, theirs.ask), size)
    result = compare(mine, bare)
    return Figure(
        name="/health/live, p50",
        value=f"{result.ours:.3f} ms",
        beside=f"bare FastAPI route {result.theirs:.3f} ms",
        ratio=f"{result.ratio:.2f} ({result.lowest_ratio:.2f} to {result.highest_ratio:.2f})",
        mark=f"≤ {MAX_LIVE_RATIO:g}",
        met=judged(holds=result.ratio <= MAX_LIVE_RATIO),
    )


async def direct_figure(found: Bench, size: Size) -> Figure:
    """What a direct completion takes over its provider and two hops on the bus."""
    asked = {"model": "echo", "messages": [{"role": "user", "content": QUESTION}]}
    gateway = ProviderGateway(
        ModelRegistry.from_toml(()), StrategyRegistry.from_toml(), (EchoProvider(),)
    )
    request = GenerationRequest(model="echo", prompt=QUESTION)
    bus = found.process.connection.client
    async with KeptAlive(
        found.api_port,
        "POST",
        "/v1/chat/completions",
        json.dumps(asked).encode(),
        x_promptbus_mode="direct",
    ) as http:

        async def in_process() -> GenerationResult:
            return await gateway.generate(request)

        async def two_hops() -> object:
            return await bus.request(HOP, b"there and back", timeout=5)

        took, alone, hops = await _in_turns((http.ask, in_process, two_hops), size)
    over = [whole - mine - hop for whole, mine, hop in zip(took, alone, hops, strict=True)]
    return Figure(
        name="direct /v1/chat/completions with echo, p50",
        value=f"{p50(took):.2f} ms",
        beside=f"in process {p50(alone):.2f} ms, two bus hops {p50(hops):.2f} ms",
        ratio=f"{p50(over):.2f} ms over",
        mark=f"≤ {MAX_DIRECT_MS:g} ms over",
        met=judged(holds=p50(over) <= MAX_DIRECT_MS),
    )


async def fan_out_figure(found: Bench, size: Size) -> Figure:
    """How many pieces of one growing text a hundred sockets are sent in a second."""
    run_id = await _begin_run(found.process)
    path = f"/orchestrator/runs/{run_id}/ws?every_ms=0"
    readers = [await TokenReader(found.api_port, path).open() for _ in range(NUM_READERS)]
    tokens = TokenWriter(found.process.connection, run_id, 1)
    began_s = time.perf_counter()
    for number in range(size.num_tokens):
        await tokens.write(WORD)
        ahead_s = (number + 1) / TOKENS_PER_S - (time.perf_counter() - began_s)
        await asyncio.sleep(max(0.0, ahead_s))
    await _end_run(found.process, run_id, WORD * size.num_tokens)
    await asyncio.gather(*(reader.closed for reader in readers))
    took_s = max(reader.last_s for reader in readers) - min(reader.first_s for reader in readers)
    whole = len(WORD) * size.num_tokens
    num_whole = sum(reader.num_chars == whole and reader.is_done for reader in readers)
    frames_per_s = sum(reader.num_frames for reader in readers) / took_s
    return Figure(
        name=f"{NUM_READERS} WebSocket clients of one text",
        value=f"{frames_per_s:,.0f} frames/s",
        beside=f"{TOKENS_PER_S * NUM_READERS:,} offered; {num_whole} had all of it",
        mark=f"≥ {MIN_FRAMES_PER_S:,}, nobody misses any",
        met=judged(holds=frames_per_s >= MIN_FRAMES_PER_S and num_whole == NUM_READERS),
    )


async def memory_figure(found: Bench, size: Size) -> Figure:
    """What the API's memory grows by while sockets come and go, each for a whole run."""
    run_id = await _begin_run(found.process)
    await _end_run(found.process, run_id, WORD * 100)
    api = psutil.Process(found.api_pid)

    async def come_and_go(num: int) -> float:
        for _ in range(num // NUM_READERS):
            path = f"/orchestrator/runs/{run_id}/ws"
            readers = [await TokenReader(found.api_port, path).open() for _ in range(NUM_READERS)]
            await asyncio.gather(*(reader.closed for reader in readers))
            if not all(reader.is_done for reader in readers):
                raise RuntimeError("a socket was not told of its whole run")
        return float(api.memory_info().rss / MIB)

    before = await come_and_go(max(NUM_READERS, size.num_connections // 5))
    after = await come_and_go(size.num_connections)
    return Figure(
        name=f"memory of the API over {size.num_connections:,} connections",
        value=f"{after:.1f} MiB",
        beside=f"before {before:.1f} MiB",
        ratio=f"{after - before:+.1f} MiB",
        mark=f"≤ {MAX_GROWTH_MIB:g} MiB more",
        met=judged(holds=after - before <= MAX_GROWTH_MIB),
    )


async def _in_turns(
    asked: Sequence[Callable[[], Awaitable[object]]], size: Size
) -> list[list[float]]:
    """The median of each round in milliseconds, for each of ``asked``."""
    found: list[list[float]] = [[] for _ in asked]
    for _ in range(size.rounds + 1):
        for medians, ask in zip(found, asked, strict=True):
            times = []
            for _ in range(size.per_round):
                began_s = time.perf_counter()
                await ask()
                times.append((time.perf_counter() - began_s) * 1000)
            medians.append(p50(times))
    return [medians[1:] for medians in found]  # the first round warms up


async def _begin_run(process: Process) -> str:
    run_id = new_run_id()
    started = RunStarted(run_id=run_id, submitted=SubmitPrompt(prompt=QUESTION, run_id=run_id))
    await process.journal.write(subjects.run_event(run_id, subjects.STARTED), started)
    return run_id


async def _end_run(process: Process, run_id: str, text: str) -> None:
    result = GenerationResult(
        output=text,
        model="bench",
        strategy="standard",
        provider="bench",
        source="local",
        finish_reason="stop",
    )
    answered = AnswerGenerated(run_id=run_id, result=result)
    outcome = RunAnswered(
        run_id=run_id, output=text, task_type=TaskType.CHAT, score=100, result=result
    )
    step = subjects.step_event(run_id, ActorKind.EXECUTOR, 1)
    await process.journal.write(step, answered)
    await process.journal.write(subjects.run_event(run_id, subjects.OUTCOME), outcome)


def _start(stack: ExitStack, folder: Path, *argv: str) -> subprocess.Popen[bytes]:
    log = folder / f"{argv[1] if argv[0] == 'promptbus' else 'bare'}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *argv], cwd=ROOT, env=os.environ, stdout=file, stderr=file
        )
    stack.callback(stop, process)
    return process


async def _said(log: Path, pattern: str) -> int:
    """The number in the line of ``log`` that fits ``pattern``."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            text = await asyncio.to_thread(log.read_text, errors="replace")
            found = re.search(pattern, text.replace("\n", ""))
            if found is not None:
                return int(found.group(1))
            await asyncio.sleep(0.1)


async def _listens(port: int) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="see that it works")
    size = QUICK if parser.parse_args().quick else WHOLE
    sys.exit(0 if uvloop.run(main(size, Console())) else 1)
