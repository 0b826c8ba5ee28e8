"""The provider that runs checkpoints in this process; torch is imported with the first model."""

import asyncio
import importlib.util
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.errors import Cancelled, OutOfMemory
from contracts.generation import Source
from providers.cancellation import Cancellation
from providers.devices import read_ram
from providers.generation_job import GenerationJob
from providers.local.engine import Decoded
from providers.local.hub_cache import is_on_disk
from providers.local.manager.hosted_engine import HostedEngine, LoadEngine, OnBytes
from providers.local.manager.lease import Lease
from providers.local.manager.measured_memory import (
    MeasuredMemory,
    measured_devices,
    watch_growth,
)
from providers.local.manager.memory_plan import DeviceMemory, Reservation
from providers.local.manager.model_manager import ModelManager
from providers.local.manager.request_scheduler import DEFAULT_MAX_WAIT_S
from providers.local.weight_form import Tried
from providers.memory_budget import default_budgets
from providers.provider import Generated, LoadedModel, OnProgress, OnText, OnWait
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy


class LocalProvider:
    """Hugging Face checkpoints with transformers, within budgets of memory.

    ``budgets`` are bytes per device by torch's names (default: the RAM that is free, less a
    reserve); see :class:`ModelManager` for the rest.
    ``speeds_file`` keeps which kind of weights was measured to be the fastest here; without one
    the likely one is taken.
    ``num_threads`` bounds torch's threads for the whole process; None leaves torch's choice.
    ``load`` makes the engines; None stands for :func:`host_model` and its measuring.
    """

    name = "local"
    source: Source = "local"
    loads_models = True

    def __init__(
        self,
        *,
        budgets: Mapping[str, int] | None = None,
        measured: MeasuredMemory | None = None,
        max_wait_s: float = DEFAULT_MAX_WAIT_S,
        kv_tokens: int | None = None,
        speeds_file: Path | None = None,
        num_threads: int | None = None,
        host: str | None = None,
        load: LoadEngine | None = None,
    ) -> None:
        self._num_threads = num_threads
        self._speeds_file = speeds_file
        self._host_name = host or ""
        self._tried: Tried = set()
        self._available = all(
            importlib.util.find_spec(name) is not None for name in ("torch", "transformers")
        )
        self._manager = ModelManager(
            load or self._host,
            budgets=default_budgets((read_ram(),)) if budgets is None else budgets,
            measured=measured,
            max_wait_s=max_wait_s,
            kv_tokens=kv_tokens,
            host=host,
        )

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
        """Wait for a slot of the model, then decode in it.

        Where memory runs out before the first text, the models that are idle leave and the job is
        run once more.
        """
        speech = _Speech(on_text)
        try:
            return await self._generate_once(job, speech, on_wait, cancel)
        except OutOfMemory:
            if speech.has_begun or cancel.cancelled:
                raise
            if not await self._manager.evict_idle(spare=job.entry.key):
                raise
        return await self._generate_once(job, speech, on_wait, cancel)

    def loaded(self) -> tuple[LoadedModel, ...]:
        """What is resident, least recently used first, then what is loading."""
        return self._manager.get_loaded_models()

    async def load(
        self, entry: ModelEntry, strategy: Strategy, on_progress: OnProgress | None
    ) -> LoadedModel:
        """Make the model resident.

        Raises: ModelLoadFailed, DoesNotFit, OutOfMemory.
        """
        return await self._manager.load_model(entry, strategy, on_progress)

    async def unload(self, model: str) -> bool:
        """Free the model once nothing uses it; False when it was not resident."""
        return await self._manager.unload_model(model)

    def pin(self, model: str, *, pinned: bool) -> None:
        """Whether the model, once resident, is never evicted."""
        self._manager.pin(model, pinned=pinned)

    def memory(self) -> tuple[DeviceMemory, ...]:
        """Budget, reservations and what could be evicted, per device."""
        return self._manager.get_memory_stats()

    async def set_budgets(self, budgets: Mapping[str, int]) -> None:
        """Bytes that models may use of the devices named."""
        await self._manager.set_budgets(budgets)

    def size_bytes(self, entry: ModelEntry, strategy: Strategy) -> int | None:
        """All the memory that the model takes here, or will; None where nobody can tell."""
        return self._manager.size_bytes(entry, strategy)

    def num_waiting(self, model: str) -> int:
        """How many jobs for the model wait for a slot."""
        return self._manager.num_waiting(model)

    async def close(self) -> None:
        """Free everything once nothing uses it."""
        await self._manager.close()

    async def _generate_once(
        self, job: GenerationJob, speech: "_Speech", on_wait: OnWait | None, cancel: Cancellation
    ) -> Generated:
        lease = await self._lease_unless_cancelled(job, on_wait, cancel)
        if lease is None:
            return _nothing_generated(time.perf_counter())
        has_finished = False
        try:
            decoded = await lease.engine.generate(job, on_text=speech.on_text, cancel=cancel)
            has_finished = decoded.finish_reason != "cancelled"
        finally:
            lease.release(has_finished=has_finished)
        return _generated(decoded, lease)

    async def _lease_unless_cancelled(
        self, job: GenerationJob, on_wait: OnWait | None, cancel: Cancellation
    ) -> Lease | None:
        loop = asyncio.get_running_loop()
        acquiring = loop.create_task(
            self._manager.acquire(job.entry, job.strategy, priority=job.priority, on_wait=on_wait)
        )

        def give_up() -> None:
            loop.call_soon_threadsafe(acquiring.cancel)

        forget = cancel.on_cancel(give_up)
        try:
            await asyncio.wait((acquiring,))
        except asyncio.CancelledError:
            # It may have got a slot at the very moment at which nobody wants it any more.
            acquiring.cancel()
            acquiring.add_done_callback(_release_unused)
            raise
        finally:
            forget()
        if acquiring.cancelled():
            if cancel.cancelled:
                return None
            raise Cancelled("the wait for the model was cancelled")
        return acquiring.result()

    def _host(
        self, entry: ModelEntry, strategy: Strategy, reservation: Reservation, on_bytes: OnBytes
    ) -> HostedEngine:
        # Here and not above, because the import takes seconds and most processes load no model;
        # and before the measuring, because what it takes is no model's.
        from providers.local.form_speeds import FormSpeeds  # noqa: PLC0415
        from providers.local.hosting import host_model  # noqa: PLC0415

        file = self._speeds_file
        with watch_growth(reservation.devices) as growth:
            engine = host_model(
                entry,
                strategy,
                reservation,
                on_bytes,
                num_threads=self._num_threads,
                speeds=None if file is None else FormSpeeds(file, self._host_name),
                tried=self._tried,
            )
        return HostedEngine(engine, measured_devices(reservation, growth, engine.size_bytes))


class _Speech:
    """Hands text on, and remembers that there was some."""

    def __init__(self, on_text: OnText | None) -> None:
        self.has_begun = False
        self.on_text: Callable[[str], None] | None = None
        if on_text is not None:
            self._say = on_text
            self.on_text = self._hand_on

    def _hand_on(self, text: str) -> None:
        self.has_begun = True
        self._say(text)


def _release_unused(acquiring: "asyncio.Task[Lease]") -> None:
    if not acquiring.cancelled() and acquiring.exception() is None:
        acquiring.result().release()


def _generated(decoded: Decoded, lease: Lease) -> Generated:
    return Generated(
        output=decoded.output,
        finish_reason=decoded.finish_reason,
        prompt_tokens=decoded.prompt_tokens,
        completion_tokens=decoded.completion_tokens,
        cache_hit=lease.cache_hit,
        load_time_ms=lease.load_time_ms,
        queue_time_ms=lease.queue_time_ms,
        started_at=decoded.started_at,
        first_token_at=decoded.first_token_at,
        ended_at=decoded.ended_at,
        cancel_time_ms=decoded.cancel_time_ms,
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
