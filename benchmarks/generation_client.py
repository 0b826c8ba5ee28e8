"""A client of a running promptbus, as a contestant: direct generations through the bus."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

import uvloop

from benchmarks.batch_server import serve
from benchmarks.generation_work import EQUAL, WORKLOADS, Workload
from bus.prompt_client import PromptClient, Token
from contracts.generation import GenerationResult
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.process import open_process
from promptbus.settings import load_settings
from promptbus.supervisor import wait_for_model


class Client:
    """Generates over the bus and checks what comes back."""

    def __init__(self, client: PromptClient, model: str) -> None:
        self._client = client
        self._model = model

    async def all_at_once(self, work: Workload, strategy: str) -> float:
        """The whole workload; milliseconds."""
        began = time.perf_counter()
        results = await asyncio.gather(
            *(
                self._client.generate(self._task(prompt, num, strategy))
                for prompt, num in zip(work.prompts, work.max_tokens, strict=True)
            )
        )
        took_ms = (time.perf_counter() - began) * 1000
        num_tokens = sum(result.usage.completion_tokens for result in results)
        if num_tokens != work.num_tokens:
            raise RuntimeError(f"{num_tokens} tokens came instead of {work.num_tokens}")
        return took_ms

    async def first_token(self) -> Mapping[str, float]:
        """Milliseconds to the first piece of text, and what loading took of them."""
        began, first_ms = time.perf_counter(), 0.0
        task = self._task(EQUAL.prompts[0], 8, "streaming")
        async with aclosing(self._client.stream(task)) as items:
            async for item in items:
                if isinstance(item, Token) and not first_ms:
                    first_ms = (time.perf_counter() - began) * 1000
                if isinstance(item, GenerationResult):
                    return {"first": first_ms, "load_time": item.load_time_ms}
        raise RuntimeError("the stream ended without a result")

    def _task(self, prompt: str, max_tokens: int, strategy: str) -> GenerateAnswer:
        return GenerateAnswer(
            run_id=new_run_id(),
            model=self._model,
            strategy=strategy,
            prompt=prompt,
            max_tokens=max_tokens,
            temperature=0.0,
            priority=Priority.INTERACTIVE,
        )


async def main(model: str) -> None:
    """Serve batches of ``standard``, ``optimized`` by workload, and ``first``."""
    async with (
        open_process(load_settings(), "benchmark-generation") as process,
        PromptClient(process.connection, process.publisher, process.stored) as opened,
    ):
        await wait_for_model(process, model, lambda _: None)
        client = Client(opened, model)
        jobs: dict[str, Callable[[], Awaitable[Mapping[str, float]]]] = {}
        for strategy in ("standard", "optimized"):
            for suffix, work in WORKLOADS.items():
                jobs[strategy + suffix] = _job(client, strategy + suffix, work, strategy)
        await serve({**jobs, "first": client.first_token})


def _job(
    client: Client, name: str, work: Workload, strategy: str
) -> Callable[[], Awaitable[Mapping[str, float]]]:
    async def job() -> Mapping[str, float]:
        return {name: await client.all_at_once(work, strategy)}

    return job


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
