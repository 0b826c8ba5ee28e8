"""The engine for checkpoints that cannot be batched: one generation at a time on its own thread."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from contracts.errors import ProviderFailed
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.engine import Decoded
from providers.local.engine_error import as_engine_error
from providers.local.generation import TextGenerator
from providers.provider import OnText


class SerialEngine:
    """A checkpoint and the thread that all its generations run on, one after the other.

    ``size_bytes`` is what it holds at most: its weights and the KV cache of one generation.
    """

    slots = 1

    def __init__(self, generator: TextGenerator, *, size_bytes: int) -> None:
        self._generator = generator
        self._checkpoint = generator.checkpoint
        self.size_bytes = size_bytes
        self.context_tokens = generator.context_tokens
        self.num_parameters = generator.checkpoint.num_parameters
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generate")
        self._closed = False

    @property
    def is_alive(self) -> bool:
        """Whether it takes jobs; only :meth:`close` ends that."""
        return not self._closed

    async def generate(
        self, job: GenerationJob, *, on_text: OnText | None, cancel: Cancellation
    ) -> Decoded:
        """Run ``job`` on the engine's thread.

        Raises: InvalidInput, OutOfMemory, ProviderFailed.
        """
        if self._closed:
            raise ProviderFailed(provider="local", reason="the engine was closed")
        loop = asyncio.get_running_loop()
        stop, wished_at = Cancellation(), list[float]()

        def wish() -> None:
            wished_at.append(time.perf_counter())
            stop.cancel()

        forget = cancel.on_cancel(wish)
        decoding = loop.run_in_executor(
            self._thread, self._generator.generate, job, _on_loop(loop, on_text), stop
        )
        try:
            decoded = await asyncio.shield(decoding)
        except asyncio.CancelledError:
            stop.cancel()
            await _until_done(decoding)
            raise
        except Exception as exc:
            raise as_engine_error(job.entry.key, self._checkpoint.device, exc) from exc
        finally:
            forget()
        return _with_cancel_time(decoded, wished_at)

    async def close(self) -> None:
        """Wait for the generation in progress, then free the weights."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._checkpoint.free)


def _on_loop(loop: asyncio.AbstractEventLoop, on_text: OnText | None) -> OnText | None:
    if on_text is None:
        return None

    def hand_over(text: str) -> None:
        loop.call_soon_threadsafe(on_text, text)

    return hand_over


async def _until_done(decoding: "asyncio.Future[Decoded]") -> None:
    """Wait for the thread, however often the waiting task is cancelled meanwhile."""
    while not decoding.done():
        try:
            await asyncio.wait((decoding,))
        except asyncio.CancelledError:
            continue
    # Looked at, so that asyncio does not report an error that nobody waits for any more.
    decoding.cancelled() or decoding.exception()


def _with_cancel_time(decoded: Decoded, wished_at: list[float]) -> Decoded:
    if decoded.finish_reason != "cancelled" or not wished_at:
        return decoded
    return replace(decoded, cancel_time_ms=(time.perf_counter() - wished_at[0]) * 1000)
