"""A client of a running promptbus, as a contestant: generations without a run."""

import time
from collections.abc import Mapping

import uvloop

from benchmarks.batch_server import serve
from benchmarks.run_client import MAX_TOKENS, QUESTION
from bus.prompt_client import PromptClient
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.process import open_process
from promptbus.settings import load_settings
from promptbus.supervisor import wait_for_model


async def main() -> None:
    """Serve batches of ``direct``: the wall time here, and ``generation``, the executor's."""
    async with (
        open_process(load_settings(), "benchmark-direct") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        await wait_for_model(process, "pocket", lambda _: None)

        async def direct() -> Mapping[str, float]:
            task = GenerateAnswer(
                run_id=new_run_id(),
                model="pocket",
                prompt=QUESTION,
                temperature=0.0,
                max_tokens=MAX_TOKENS,
            )
            started = time.perf_counter()
            result = await client.generate(task)
            took_ms = (time.perf_counter() - started) * 1000
            return {"direct": took_ms, "generation": result.total_time_ms}

        await serve({"direct": direct})


if __name__ == "__main__":
    uvloop.run(main())
