"""A contestant's side of the measurement: batches of jobs on stdin, their times on stdout.

Only the standard library is used, so that a peer may run in an environment of its own. A batch is
a JSON line ``{"job": "run", "num": 50, "in_flight": 1}``; its answer is a JSON line with the times
of every job by name, in milliseconds, and the batch's wall time.
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Job = Callable[[], Awaitable[Mapping[str, float]]]
Settle = Callable[[], Awaitable[None]]


async def serve(jobs: Mapping[str, Job], settle: Settle | None = None) -> None:
    """Do batches until stdin ends.

    ``settle`` waits for what jobs leave to be done after their answer: between the jobs of a batch
    that runs one at a time, where it is not measured, and at the end of one with many in flight,
    where it is.
    """
    _say({"ready": True})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        batch = json.loads(line)
        job = jobs[batch["job"]]
        if batch["in_flight"] == 1:
            _say(await _one_at_a_time(job, batch["num"], settle))
        else:
            _say(await _in_flight(job, batch["num"], batch["in_flight"], settle))


async def _one_at_a_time(job: Job, num: int, settle: Settle | None) -> dict[str, Any]:
    times_ms: dict[str, list[float]] = defaultdict(list)
    wall_s = 0.0
    for _ in range(num):
        started = time.perf_counter()
        _add(times_ms, await job())
        wall_s += time.perf_counter() - started
        if settle is not None:
            await settle()
    return {"times_ms": times_ms, "wall_s": wall_s}


async def _in_flight(job: Job, num: int, in_flight: int, settle: Settle | None) -> dict[str, Any]:
    times_ms: dict[str, list[float]] = defaultdict(list)
    left = iter(range(num))

    async def work() -> None:
        for _ in left:
            _add(times_ms, await job())

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    if settle is not None:
        await settle()
    return {"times_ms": times_ms, "wall_s": time.perf_counter() - started}


def _add(times_ms: dict[str, list[float]], new: Mapping[str, float]) -> None:
    for name, value in new.items():
        times_ms[name].append(value)


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
