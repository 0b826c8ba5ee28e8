"""The engine that decodes many requests together: they join and leave between tokens."""

import asyncio
import itertools
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.errors import PromptbusError, ProviderFailed
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.answer_text import AnswerText
from providers.local.batch_manager import BatchManager, RequestNews
from providers.local.batch_sizes import BatchSizes
from providers.local.engine import Decoded
from providers.local.engine_error import as_engine_error
from providers.local.prepared_job import JobPreparer, PreparedJob
from providers.provider import OnText


@dataclass(slots=True)
class _Running:
    """A request in the manager; ``freed`` is done once its slot is free."""

    request_id: str
    model: str
    answer: AnswerText
    loop: asyncio.AbstractEventLoop
    freed: "asyncio.Future[None]"
    num_taken: int = 0
    wished_at: float | None = None


class BatchEngine:
    """A checkpoint under continuous batching.

    Used from one event loop at a time. Tokens come from the manager's thread in one hop per step;
    text, stop strings and ends are worked out on the event loop.
    """

    def __init__(self, preparer: JobPreparer, sizes: BatchSizes) -> None:
        self._preparer = preparer
        self._checkpoint = preparer.checkpoint
        self.slots = sizes.slots
        self.context_tokens = preparer.context_tokens
        self.num_parameters = self._checkpoint.num_parameters
        self._running: dict[str, _Running] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ids = itertools.count()
        self._closed = False
        self._fault: PromptbusError | None = None
        self._manager = BatchManager(self._checkpoint.model, sizes, self._hop, self._hop_fallen)
        # A process that ends without closing must not tear a step's memory from under it.
        self._stop_at_exit = weakref.finalize(self, self._manager.stop)

    @property
    def is_alive(self) -> bool:
        """Whether it takes jobs; once it fell it must be closed and loaded anew."""
        return not self._closed and self._manager.is_alive

    @property
    def size_bytes(self) -> int:
        """Weights, KV cache and the buffers of a step, as allocated."""
        return self._checkpoint.size_bytes + self._manager.cache_bytes

    async def generate(
        self, job: GenerationJob, *, on_text: OnText | None, cancel: Cancellation
    ) -> Decoded:
        """Run ``job`` beside others.

        Raises: InvalidInput, OutOfMemory, ProviderFailed.
        """
        started_at = time.perf_counter()
        if self._closed:
            raise self._fallen("it was closed")
        prepared = await self._preparer.prepare(job)
        answer = self._preparer.begin_answer(job, prepared, on_text)
        num_prompt_tokens = len(prepared.token_ids)
        if cancel.cancelled:
            now = time.perf_counter()
            return Decoded("", "cancelled", num_prompt_tokens, 0, started_at, None, now, 0.0)
        running = self._begin(job, prepared, answer)
        forget = cancel.on_cancel(lambda: self._wish_from_anywhere(running))
        try:
            await self._until_freed(running)
        finally:
            forget()
        output, finish_reason = answer.finish()
        ended_at = time.perf_counter()
        wished_at = running.wished_at if finish_reason == "cancelled" else None
        return Decoded(
            output=output,
            finish_reason=finish_reason,
            prompt_tokens=num_prompt_tokens,
            completion_tokens=answer.num_tokens,
            started_at=started_at,
            first_token_at=answer.first_token_at,
            ended_at=ended_at,
            cancel_time_ms=None if wished_at is None else (ended_at - wished_at) * 1000,
        )

    def give_up(self) -> None:
        """End the manager's thread and leave the checkpoint to another engine; blocks."""
        self._closed = True
        self._stop_at_exit()

    async def close(self) -> None:
        """Fail what runs, end the manager's thread and free the memory."""
        self._closed = True
        await asyncio.to_thread(self.give_up)
        self._fail_all(self._fallen("it was closed"))
        await asyncio.to_thread(self._checkpoint.free)

    def _begin(self, job: GenerationJob, prepared: PreparedJob, answer: AnswerText) -> _Running:
        loop = self._loop = asyncio.get_running_loop()
        running = _Running(str(next(self._ids)), job.entry.key, answer, loop, loop.create_future())
        self._running[running.request_id] = running
        added = not self._closed and self._manager.add(
            running.request_id,
            prepared.token_ids,
            max_tokens=prepared.max_tokens,
            eos_ids=self._checkpoint.eos_ids,
            chooser=prepared.chooser,
            prefill_tokens=job.strategy.prefill_tokens,
        )
        if not added:
            del self._running[running.request_id]
            raise self._fallen("it takes no more requests")
        return running

    async def _until_freed(self, running: _Running) -> None:
        """Wait for the slot, also when the waiting task is cancelled, which stops the decoding."""
        cancelled: asyncio.CancelledError | None = None
        while not running.freed.done():
            try:
                await asyncio.wait((running.freed,))
            except asyncio.CancelledError as exc:
                cancelled = exc
                self._wish(running)
        error = running.freed.exception()
        if cancelled is not None:
            raise cancelled
        if error is not None:
            raise error

    def _wish_from_anywhere(self, running: _Running) -> None:
        running.wished_at = running.wished_at or time.perf_counter()
        running.loop.call_soon_threadsafe(self._wish, running)

    def _wish(self, running: _Running) -> None:
        """End the answer here; what the manager still decodes of it is not looked at."""
        running.wished_at = running.wished_at or time.perf_counter()
        if running.answer.finish_reason is None:
            running.answer.cancel()
            self._manager.cancel(running.request_id)

    def _hop(self, news: Sequence[RequestNews]) -> None:
        """On the manager's thread: hand a step's news to the event loop."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._hear, news)

    def _hop_fallen(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._fail_all, self._fallen("its thread ended"))

    def _hear(self, news: Sequence[RequestNews]) -> None:
        for one in news:
            running = self._running.get(one.request_id)
            if running is not None:
                self._advance(running, one)

    def _advance(self, running: _Running, news: RequestNews) -> None:
        answer = running.answer
        for token_id in news.tokens[running.num_taken :]:
            answer.take(token_id)
        running.num_taken = max(running.num_taken, len(news.tokens))
        if news.ended:
            self._free(running, None if news.error is None else self._failed(running, news.error))
        elif answer.finish_reason is not None:
            # Again at every token of it that still comes: a wish can overtake its request.
            self._manager.cancel(running.request_id)

    def _free(self, running: _Running, error: PromptbusError | None) -> None:
        self._running.pop(running.request_id, None)
        self._manager.forget(running.request_id)
        if running.freed.done():
            return
        if error is None:
            running.freed.set_result(None)
        else:
            running.freed.set_exception(error)

    def _failed(self, running: _Running, reason: str) -> PromptbusError:
        error = as_engine_error(running.model, self._checkpoint.device, RuntimeError(reason))
        if not self.is_alive:
            self._fault = error
        return error

    def _fail_all(self, error: PromptbusError) -> None:
        for running in tuple(self._running.values()):
            self._free(running, error)

    def _fallen(self, reason: str) -> PromptbusError:
        cause = self._manager.fatal_error
        if cause is not None:
            return as_engine_error(self._checkpoint.key, self._checkpoint.device, cause)
        if self._fault is not None:
            return self._fault
        return ProviderFailed(provider="local", reason=f"the engine has stopped: {reason}")
