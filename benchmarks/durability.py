"""What runs cost that nothing may lose: memory while they wait, acceptance of many, replay.

    python -m benchmarks.durability [--runs 10000] [--clients 64]

One real server with synced storage. Ten thousand prompts are published by sixty-four clients of
their own connections; then one coordinator leads them all at once, none of them getting further
than its first question, because no other actor is there; then a journal of 20 steps is replayed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import psutil
from rich.console import Console

from actors.coordinator import Coordinator, WaitFacts, WaitReporter
from benchmarks.figure import Figure, judged, table_of
from benchmarks.measure import p50, p95
from bus.prompt_client import PromptClient
from bus.pull_worker import Delivery
from bus.topology import RUNS
from contracts import subjects
from contracts.event import (
    AnswerGenerated,
    HistoryRecalled,
    OutputValidated,
    PromptAnalyzed,
    RunStarted,
    StepEvent,
)
from contracts.generation import GenerationResult, Usage
from contracts.placement import HostPlacement
from contracts.prompt import Priority, SubmitPrompt, TaskType
from contracts.run_id import new_run_id
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings

MAX_RUN_KIB = 64.0
MAX_REPLAY_MS = 20.0
NUM_REPLAYS = 30
# Analyzer and history, and nine attempts of executor and validator.
NUM_ATTEMPTS = 9
PATIENCE_S = 600.0
MODEL = "echo"


async def accept(settings: Settings, num_runs: int, num_clients: int) -> Figure:
    """Publish ``num_runs`` prompts from ``num_clients`` clients, each acknowledged."""
    accepted: list[str] = []
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(_client(settings, f"client-{number}"))
            for number in range(num_clients)
        ]
        started = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for number, client in enumerate(clients):
                share = len(range(number, num_runs, num_clients))
                tasks.start_soon(_submit, client, share, accepted)
        took_s = time.perf_counter() - started
        queue = clients[0].queue
        num_missing = 0
        async with anyio.create_task_group() as tasks:
            limiter = anyio.CapacityLimiter(64)

            async def look(run_id: str) -> None:
                nonlocal num_missing
                async with limiter:
                    num_missing += not await queue.holds(run_id)

            for run_id in accepted:
                tasks.start_soon(look, run_id)
    holds = len(set(accepted)) == num_runs and num_missing == 0
    return Figure(
        name=f"{num_runs} prompts by {num_clients} clients: acknowledged, missing",
        value=f"{len(set(accepted))}, {num_missing}",
        beside=f"{num_runs / took_s:.0f} prompts/s, each synced",
        mark="all, none",
        met=judged(holds=holds),
    )


async def hold(settings: Settings, num_runs: int) -> Figure:
    """Let one coordinator lead everything that is queued; what a run adds to its memory."""
    with _coordinator(settings, num_runs) as process:
        async with open_process(settings, "benchmark") as bus:
            await _until_led(bus, 1)
            resting_bytes = process.memory_info().rss
            num_before = await _num_led(bus)
            await _until_led(bus, num_runs)
            await anyio.sleep(5)
            held_bytes = process.memory_info().rss - resting_bytes
    per_run_kib = held_bytes / (num_runs - num_before) / 1024
    return Figure(
        name=f"memory of a run in its coordinator, {num_runs} in flight",
        value=f"{per_run_kib:.1f} KiB",
        beside=f"{held_bytes / (1 << 20):.0f} MiB in all",
        mark=f"< {MAX_RUN_KIB:g} KiB",
        met=judged(holds=per_run_kib < MAX_RUN_KIB),
    )


async def replay(settings: Settings) -> Figure:
    """Lead a run whose journal lacks nothing but its outcome, until that stands."""
    times_ms: list[float] = []
    async with open_process(settings, "benchmark") as process:
        coordinator = _own_coordinator(process)
        for _ in range(NUM_REPLAYS):
            prompt = SubmitPrompt(
                prompt="hi",
                model=MODEL,
                strategy="standard",
                max_attempts=NUM_ATTEMPTS,
                run_id=new_run_id(),
            )
            num_steps = await _write_journal(process, prompt)
            times_ms.append(await _replay_ms(process, coordinator, prompt))
    return Figure(
        name=f"replay of a journal of {num_steps} steps to its outcome, median of {NUM_REPLAYS}",
        value=f"{p50(times_ms):.1f} ms",
        beside=f"p95 {p95(times_ms):.1f} ms; the outcome's synced write included",
        mark=f"< {MAX_REPLAY_MS:g} ms",
        met=judged(holds=p50(times_ms) < MAX_REPLAY_MS),
    )


@asynccontextmanager
async def _client(settings: Settings, role: str) -> AsyncIterator[PromptClient]:
    async with (
        open_process(settings, role) as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        yield client


async def _submit(client: PromptClient, number: int, accepted: list[str]) -> None:
    prompt = SubmitPrompt(prompt="What is the capital of France?", model=MODEL)
    for _ in range(number):
        accepted.append(await client.submit(prompt, Priority.BATCH))


@contextmanager
def _coordinator(settings: Settings, num_runs: int) -> Iterator[psutil.Process]:
    """A coordinator that may lead so many at once, in a process of its own."""
    given = settings.model_copy(update={"max_runs": num_runs})
    environment = {**os.environ, **given.environment(), "PROMPTBUS_MAX_RUNS": str(num_runs)}
    command = [sys.executable, "-m", "promptbus", "actor", "coordinator"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


async def _num_led(process: Process) -> int:
    info = await process.connection.jetstream.stream_info(
        RUNS, subjects_filter=f"runs.*.{subjects.STARTED}"
    )
    return len(info.state.subjects or {})


async def _until_led(process: Process, number: int) -> None:
    with anyio.fail_after(PATIENCE_S):
        while await _num_led(process) < number:
            await anyio.sleep(0.1)


async def _write_journal(process: Process, prompt: SubmitPrompt) -> int:
    """Everything of a run but its outcome; how many steps that is."""
    run_id = str(prompt.run_id)
    started = RunStarted(run_id=run_id, submitted=prompt)
    await process.journal.write(subjects.run_event(run_id, subjects.STARTED), started)
    steps: list[StepEvent] = [
        PromptAnalyzed(run_id=run_id, task_type=TaskType.CHAT, language="en"),
        HistoryRecalled(run_id=run_id),
    ]
    for attempt in range(1, NUM_ATTEMPTS + 1):
        steps.append(AnswerGenerated(run_id=run_id, attempt=attempt, result=_result()))
        steps.append(OutputValidated(run_id=run_id, attempt=attempt, score=10, verdict="retry"))
    for step in steps:
        if step.node is not None:
            place = subjects.step_event(run_id, step.node, step.attempt)
            await process.journal.write(place, step)
    return len(steps)


def _result() -> GenerationResult:
    return GenerationResult(
        output="word " * 200,
        model=MODEL,
        strategy="standard",
        provider="echo",
        source="local",
        finish_reason="stop",
        usage=Usage(prompt_tokens=10, completion_tokens=200, total_tokens=210),
    )


async def _replay_ms(process: Process, coordinator: Coordinator, prompt: SubmitPrompt) -> float:
    ended = anyio.Event()
    forget = process.stored.on_end(lambda run_id: ended.set() if run_id == prompt.run_id else None)
    # A second lease, as after the death of whoever had the first.
    delivery = Delivery("prompts.batch", {}, prompt.encode(), 2, 1, time.time())
    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(coordinator.lead, delivery)
        with anyio.fail_after(PATIENCE_S):
            await ended.wait()
        took_ms = (time.perf_counter() - started) * 1000
        tasks.cancel_scope.cancel()
    forget()
    return took_ms


def _own_coordinator(process: Process) -> Coordinator:
    async def served() -> frozenset[str]:
        return frozenset({MODEL})

    async def nothing_placed() -> tuple[HostPlacement, ...]:
        return ()

    facts = WaitFacts(process.connection, process.board.hosts, nothing_placed)
    return Coordinator(
        connection=process.connection,
        journal=process.journal,
        publisher=process.publisher,
        stored=process.stored,
        served=served,
        waits=WaitReporter(process.connection, facts.read),
    )


async def measure(num_runs: int, num_clients: int) -> list[Figure]:
    """All figures, on a server of their own."""
    with tempfile.TemporaryDirectory() as folder, NatsServer(Path(folder) / "nats") as server:
        # Leases outlast the benchmark: nobody shall lead a run a second time.
        settings = Settings(
            data_dir=Path(folder) / "data", preload=(), lease_s=600.0, max_runs=num_runs
        ).with_address(server.address)
        accepted = await accept(settings, num_runs, num_clients)
        held = await hold(settings, num_runs)
        return [accepted, held, await replay(settings)]


def main() -> int:
    """Measure and print; 1 where a mark is not met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    chosen = parser.parse_args()
    figures = anyio.run(measure, chosen.runs, chosen.clients)
    Console().print(table_of(figures))
    return int(any(figure.met == "not met" for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
