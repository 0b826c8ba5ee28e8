"""The provider that runs checkpoints in this process; torch is imported with the first model."""

import asyncio
import importlib.util
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.errors import Cancelled
from contracts.generation import Source
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.hub_cache import is_on_disk
from providers.local.manager.model_manager import (
    DEFAULT_MAX_RESIDENT,
    Lease,
    ModelManager,
    OnBytes,
    Resident,
)
from providers.provider import Generated, LoadedModel, OnProgress, OnText, OnWait
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

if TYPE_CHECKING:
    from providers.local.engine import Decoded
    from providers.local.generation import TextGenerator


@dataclass(frozen=True, slots=True)
class HostedModel:
    """A loaded model and the thread that all its generations run on, one after the other."""

    generator: "TextGenerator"
    thread: ThreadPoolExecutor


class LocalProvider:
    """Hugging Face checkpoints with transformers.

    One generation at a time per model, each on its model's thread; the event loop never blocks.
    ``num_threads`` bounds torch's threads for the whole process; None leaves torch's choice.
    """

    name = "local"
    source: Source = "local"
    loads_models = True

    def __init__(
        self, *, max_resident: int = DEFAULT_MAX_RESIDENT, num_threads: int | None = None
    ) -> None:
        self._num_threads = num_threads
        self._available = all(
            importlib.util.find_spec(name) is not None for name in ("torch", "transformers")
        )
        self._manager = ModelManager(self._host, _free, max_resident=max_resident)

    @property
    def available(self) -> bool:
        """Whether torch and transformers are installed; does not import them."""
        return self._available

    def holds(self, entry: ModelEntry) -> bool:
        """Whether the libraries are installed and the checkpoint lies on this machine."""
        return self._available and is_on_disk(entry)

    async def generate(
        self,
        job: GenerationJob,
        *,
        on_text: OnText | None,
        on_wait: OnWait | None,
        cancel: Cancellation,
    ) -> Generated:
        """Wait for the model and for its slot, then decode on its thread."""
        entered = await self._enter_unless_cancelled(job, cancel)
        if entered is None:
            return _nothing_generated(time.perf_counter())
        lease, queue_time_ms = entered
        loop = asyncio.get_running_loop()
        stop = Cancellation()
        forget = cancel.on_cancel(stop.cancel)
        hosted = lease.resident.model
        decoding = loop.run_in_executor(
            hosted.thread, hosted.generator.generate, job, _on_loop(loop, on_text), stop
        )
        # Not when the waiting ends but when the thread is done: until then the model is in use.
        decoding.add_done_callback(lambda _: _leave(lease))
        try:
            decoded = await asyncio.shield(decoding)
        except asyncio.CancelledError:
            stop.cancel()
            raise
        finally:
            forget()
        return _generated(decoded, lease, queue_time_ms)

    def loaded(self) -> tuple[LoadedModel, ...]:
        """What is resident, least recently used first, then what is loading."""
        residents = tuple(_state(key, resident) for key, resident in self._manager.residents())
        loading = tuple(
            LoadedModel(model=key, strategy=strategy, loading=fraction)
            for key, strategy, fraction in self._manager.loading()
        )
        return residents + loading

    async def load(
        self, entry: ModelEntry, strategy: Strategy, on_progress: OnProgress | None
    ) -> LoadedModel:
        """Make the model resident.

        Raises: ModelLoadFailed.
        """
        lease = await self._manager.acquire(entry, strategy, on_progress)
        lease.release()
        return _state(entry.key, lease.resident)

    async def unload(self, model: str) -> bool:
        """Free the model once nothing uses it; False when it was not resident."""
        return await self._manager.unload(model)

    async def close(self) -> None:
        """Free everything once nothing uses it."""
        await self._manager.close()

    async def _enter_unless_cancelled(
        self, job: GenerationJob, cancel: Cancellation
    ) -> "tuple[Lease[HostedModel], float] | None":
        loop = asyncio.get_running_loop()
        entering = loop.create_task(self._enter(job))

        def give_up() -> None:
            loop.call_soon_threadsafe(entering.cancel)

        forget = cancel.on_cancel(give_up)
        try:
            await asyncio.wait((entering,))
        except asyncio.CancelledError:
            # It may have entered at the very moment at which nobody wants it any more.
            entering.cancel()
            entering.add_done_callback(_leave_unused)
            raise
        finally:
            forget()
        if entering.cancelled():
            if cancel.cancelled:
                return None
            raise Cancelled("the wait for the model was cancelled")
        return entering.result()

    async def _enter(self, job: GenerationJob) -> tuple[Lease[HostedModel], float]:
        lease = await self._manager.acquire(job.entry, job.strategy)
        resident_at = time.perf_counter()
        try:
            await lease.resident.slot.acquire()
        except asyncio.CancelledError:
            lease.release()
            raise
        return lease, (time.perf_counter() - resident_at) * 1000

    def _host(self, entry: ModelEntry, strategy: Strategy, on_bytes: OnBytes) -> HostedModel:
        # Here and not above, because the import takes seconds and most processes load no model.
        from providers.local.hosting import load_generator  # noqa: PLC0415

        generator = load_generator(entry, strategy, on_bytes, num_threads=self._num_threads)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"generate-{entry.key}")
        return HostedModel(generator, thread)


def _free(hosted: HostedModel) -> None:
    hosted.thread.shutdown()
    hosted.generator.checkpoint.free()


def _leave(lease: Lease[HostedModel]) -> None:
    lease.resident.slot.release()
    lease.release()


def _leave_unused(entering: "asyncio.Task[tuple[Lease[HostedModel], float]]") -> None:
    if not entering.cancelled() and entering.exception() is None:
        _leave(entering.result()[0])


def _on_loop(loop: asyncio.AbstractEventLoop, on_text: OnText | None) -> OnText | None:
    if on_text is None:
        return None

    def hand_over(text: str) -> None:
        loop.call_soon_threadsafe(on_text, text)

    return hand_over


def _state(model: str, resident: Resident[HostedModel]) -> LoadedModel:
    checkpoint = resident.model.generator.checkpoint
    return LoadedModel(
        model=model,
        strategy=resident.strategy,
        size_bytes=checkpoint.size_bytes,
        context_tokens=checkpoint.context_tokens,
        num_parameters=checkpoint.num_parameters,
    )


def _generated(decoded: "Decoded", lease: Lease[HostedModel], queue_time_ms: float) -> Generated:
    return Generated(
        output=decoded.output,
        finish_reason=decoded.finish_reason,
        prompt_tokens=decoded.prompt_tokens,
        completion_tokens=decoded.completion_tokens,
        cache_hit=lease.cache_hit,
        load_time_ms=lease.load_time_ms,
        queue_time_ms=queue_time_ms,
        started_at=decoded.started_at,
        first_token_at=decoded.first_token_at,
        ended_at=decoded.ended_at,
    )


def _nothing_generated(now: float) -> Generated:
    return Generated(
        output="",
        finish_reason="cancelled",
        prompt_tokens=0,
        completion_tokens=0,
        cache_hit=False,
        load_time_ms=0.0,
        queue_time_ms=0.0,
        started_at=now,
        first_token_at=None,
        ended_at=now,
    )
