"""A client of a running promptbus, as a contestant: whole runs.

Times run from the submission (``submitted``) and from the acceptance, the PubAck (``accepted``),
until the stored outcome is heard; every run must be answered at the first attempt.
"""

import time
from collections.abc import Callable, Mapping

import anyio
import uvloop

from benchmarks.batch_server import serve
from bus.prompt_client import PromptClient
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import RunAnswered
from contracts.generation import GenerationResult
from contracts.journal_entry import JournalEntry
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.process import Process, open_process
from promptbus.settings import load_settings
from promptbus.supervisor import wait_for_model

RUN_TIMEOUT_S = 60.0
# The validator lets these be answered by themselves.
GREETING = "good morning"
QUESTION = "What is the capital of Peru?"
MAX_TOKENS = 24

STORED_SUMMARIES = subjects.stored(f"runs.*.{ActorKind.SUMMARIZER}.1")


class RunMeter:
    """Submits runs and waits for their outcomes; :meth:`settle` waits for their summaries."""

    def __init__(self, process: Process, client: PromptClient) -> None:
        self._process = process
        self._client = client
        self._unsummarized: set[str] = set()
        self._settled = anyio.Event()

    async def run(self, prompt: str, model: str) -> tuple[dict[str, float], GenerationResult]:
        """One whole run; its times in milliseconds, and what the executor measured.

        Raises: TimeoutError, RuntimeError when it was not answered at the first attempt.
        """
        run_id = new_run_id()
        heard: list[tuple[float, JournalEntry]] = []
        arrived = anyio.Event()
        unheard = {subjects.OUTCOME, f"{ActorKind.SUMMARIZER}/1"}

        def listen(entry: JournalEntry) -> None:
            if entry.subject.step == subjects.OUTCOME:
                heard.append((time.perf_counter(), entry))
                arrived.set()
            # They come by two subscriptions, so the later one may be heard first.
            unheard.discard(entry.subject.step)
            if not unheard:
                self._forget(run_id, forget)

        forget = self._process.stored.listen(listen, run_id)
        self._unsummarized.add(run_id)
        command = SubmitPrompt(
            run_id=run_id, prompt=prompt, model=model, temperature=0.0, max_tokens=MAX_TOKENS
        )
        submitted = time.perf_counter()
        await self._client.submit(command)
        accepted = time.perf_counter()
        with anyio.fail_after(RUN_TIMEOUT_S):
            await arrived.wait()
        ended, entry = heard[0]
        outcome = entry.event
        if not isinstance(outcome, RunAnswered) or outcome.num_attempts != 1:
            raise RuntimeError(f"run {run_id} was not answered at the first attempt: {outcome}")
        times_ms = {"submitted": (ended - submitted) * 1000, "accepted": (ended - accepted) * 1000}
        return times_ms, outcome.result

    async def settle(self) -> None:
        """Wait until every run so far has its summary."""
        self._settled = anyio.Event()
        if self._unsummarized:
            with anyio.fail_after(RUN_TIMEOUT_S):
                await self._settled.wait()

    def _forget(self, run_id: str, forget: Callable[[], None]) -> None:
        self._unsummarized.discard(run_id)
        forget()
        if not self._unsummarized:
            self._settled.set()


async def main() -> None:
    """Serve batches of ``run`` (model ``echo``) and ``pocket_run``."""
    watched = (subjects.STORED_OUTCOMES, STORED_SUMMARIES)
    async with (
        open_process(load_settings(), "benchmark", watched) as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        await wait_for_model(process, "pocket", lambda _: None)
        meter = RunMeter(process, client)

        async def run() -> Mapping[str, float]:
            times_ms, _ = await meter.run(GREETING, "echo")
            return times_ms

        async def pocket_run() -> Mapping[str, float]:
            times_ms, result = await meter.run(QUESTION, "pocket")
            return {**times_ms, "generation": result.total_time_ms}

        await serve({"run": run, "pocket_run": pocket_run}, meter.settle)


if __name__ == "__main__":
    uvloop.run(main())
