"""``transformers serve`` with continuous batching, as a contestant: the same work over HTTP."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from benchmarks.batch_server import Job, serve
from benchmarks.generation_work import WARM_UP, WORKLOADS, Workload

START_TIMEOUT_S = 120.0
# A busy machine slows it down more than others: its threads wait for each other.
ANSWER_TIMEOUT_S = 280.0


@asynccontextmanager
async def started(folder: Path, num_threads: int) -> AsyncIterator[str]:
    """The server on a free port of loopback; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("transformers")),
        *("serve", str(folder), "--continuous-batching", "--attn-implementation", "sdpa"),
        *("--cb-num-blocks", "64", "--host=127.0.0.1", f"--port={port}", "--device=cpu"),
        stdout=sys.stderr,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": str(num_threads),
        },
    )
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(trust_env=False) as http, asyncio.timeout(START_TIMEOUT_S):
            while not await _is_healthy(http, url):
                await asyncio.sleep(0.2)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_healthy(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/health")).is_success
    except httpx2.TransportError:
        return False


async def whole(url: str, folder: Path, work: Workload) -> float:
    """All requests at once; milliseconds."""

    async def one(http: httpx2.AsyncClient, prompt: str, max_tokens: int) -> int:
        body = {"model": str(folder), "prompt": prompt, "max_tokens": max_tokens}
        answer = await http.post(f"{url}/v1/completions", json={**body, "temperature": 0})
        answer.raise_for_status()
        return int(answer.json()["usage"]["completion_tokens"])

    async with httpx2.AsyncClient(trust_env=False, timeout=ANSWER_TIMEOUT_S) as http:
        began = time.perf_counter()
        counts = await asyncio.gather(
            *(one(http, *pair) for pair in zip(work.prompts, work.max_tokens, strict=True))
        )
        took_ms = (time.perf_counter() - began) * 1000
    if sum(counts) != work.num_tokens:
        raise RuntimeError(f"{sum(counts)} tokens came instead of {work.num_tokens}")
    return took_ms


async def find_fastest(folder: Path, max_threads: int) -> int:
    """The number of threads that serves it best here: 1, as it shares them, or as many as asked."""
    took_ms: dict[int, float] = {}
    for num_threads in {1, max_threads}:
        async with started(folder, num_threads) as url:
            times = [await whole(url, folder, WARM_UP) for _ in range(4)]
            took_ms[num_threads] = sum(times[1:])
    return min(took_ms, key=lambda num: took_ms[num])


async def main(folder: Path, max_threads: int) -> None:
    """Serve batches of ``serve`` by workload."""
    num_threads = await find_fastest(folder, max_threads)
    async with started(folder, num_threads) as url:

        def job(name: str, work: Workload) -> Job:
            async def run() -> Mapping[str, float]:
                return {name: await whole(url, folder, work)}

            return run

        names = {f"serve{suffix}": work for suffix, work in WORKLOADS.items()}
        await serve({name: job(name, work) for name, work in names.items()})


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
