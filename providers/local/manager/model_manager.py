"""Which models are resident, who uses them, and which goes when another must come."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from contracts.prompt import Priority
from providers.local.engine import Engine
from providers.local.manager.demand_book import DemandBook
from providers.local.manager.generation_times import GenerationTimes
from providers.local.manager.hosted_engine import LoadEngine
from providers.local.manager.lease import Lease
from providers.local.manager.measured_memory import MeasuredMemory
from providers.local.manager.memory_ledger import CPU, MemoryLedger
from providers.local.manager.memory_plan import DeviceMemory
from providers.local.manager.request_queue import RequestQueue
from providers.local.manager.request_scheduler import DEFAULT_MAX_WAIT_S
from providers.local.manager.residency import Loading, Residency, Resident
from providers.local.manager.resident_key import ResidentKey, resident_key
from providers.provider import LoadedModel, OnProgress, OnWait
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy


class ModelManager:
    """Loads models within budgets of memory and admits requests to their slots.

    What is loaded and who goes next is decided by :mod:`request_scheduler`, what fits by
    :class:`MemoryLedger`. ``budgets`` are bytes per device by torch's names. Bound to one event
    loop; ``load`` runs on a thread of its own, one at a time. ``host`` is the name that notes to
    those who wait carry.
    """

    def __init__(
        self,
        load: LoadEngine,
        *,
        budgets: Mapping[str, int],
        measured: MeasuredMemory | None = None,
        max_wait_s: float = DEFAULT_MAX_WAIT_S,
        kv_tokens: int | None = None,
        host: str | None = None,
    ) -> None:
        self._ledger = MemoryLedger(budgets)
        measured = measured or MeasuredMemory(None, host or "")
        self._demands = DemandBook(self._ledger, measured, kv_tokens=kv_tokens)
        self._times = GenerationTimes()
        self._residency = Residency(
            load, self._ledger, measured, on_bytes=self._hear_bytes, on_change=self._step
        )
        self._queue = RequestQueue(
            ledger=self._ledger,
            demands=self._demands,
            residency=self._residency,
            times=self._times,
            max_wait_s=max_wait_s,
            host=host,
        )

    async def acquire(
        self,
        entry: ModelEntry,
        strategy: Strategy,
        *,
        priority: Priority = Priority.NORMAL,
        on_wait: OnWait | None = None,
        on_progress: OnProgress | None = None,
    ) -> Lease:
        """A slot of the model, which is loaded first if need be.

        ``on_wait`` hears why it waits, at once and then about every second. Cancelling the wait
        leaves a load going: others may wait for it, or come back.

        Raises: DoesNotFit, OutOfMemory, NotReady once closed, and what the load raises.
        """
        key, since_s = resident_key(entry, strategy), time.monotonic()
        cache_hit = key in self._residency.residents
        if not cache_hit:
            await self._demands.prepare(entry, strategy)
        return await self._queue.wait(
            entry,
            strategy,
            priority=priority,
            since_s=since_s,
            cache_hit=cache_hit,
            on_wait=on_wait,
            on_progress=on_progress,
        )

    async def load_model(
        self,
        entry: ModelEntry,
        strategy: Strategy,
        on_progress: OnProgress | None = None,
    ) -> LoadedModel:
        """Make the model resident; at once when it is.

        Raises: as :meth:`acquire`.
        """
        key = resident_key(entry, strategy)
        if (resident := self._residency.residents.get(key)) is not None:
            self._ledger.touch(key)
            return self._describe(resident)
        lease = await self.acquire(
            entry, strategy, priority=Priority.INTERACTIVE, on_progress=on_progress
        )
        loaded = self._describe(lease.resident)
        lease.release()
        return replace(loaded, num_running=loaded.num_running - 1)

    async def unload_model(self, model_key: str, strategy: Strategy | None = None) -> bool:
        """Free the model once nothing uses it; False when it was not resident.

        Without ``strategy`` in all its forms. Those who wait for it have it loaded anew.
        """
        while (loading := self._residency.loading) is not None and loading.key[0] == model_key:
            await loading.ended.wait()
        leaving = [self._residency.retire(key) for key in self._keys(model_key, strategy)]
        await asyncio.gather(*leaving)
        return bool(leaving)

    async def cleanup_all(self) -> None:
        """Free every model once nothing uses it, the pinned ones too."""
        await asyncio.gather(*self._residency.retire_all())

    async def close(self) -> None:
        """Free everything; who still waits gets NotReady, and nothing is loaded afterwards."""
        await self._queue.close()
        await self._residency.close()

    async def evict_idle(self, *, spare: str | None = None) -> bool:
        """Free all that is neither busy nor pinned, but the model ``spare``; whether any was."""
        return await self._residency.evict_idle(tuple(self._ledger.budgets), spare)

    def is_model_loaded(self, model_key: str, strategy: Strategy | None = None) -> bool:
        """Whether it is resident, in the form that ``strategy`` needs if one is given."""
        return self.get_model(model_key, strategy) is not None

    def get_model(self, model_key: str, strategy: Strategy | None = None) -> Engine | None:
        """The engine of a resident model; to generate with it, :meth:`acquire` a slot."""
        keys = self._keys(model_key, strategy)
        found = (self._residency.residents.get(key) for key in reversed(keys))
        return next((resident.engine for resident in found if resident is not None), None)

    def get_loaded_models(self) -> tuple[LoadedModel, ...]:
        """What is resident, least recently used first, then what is on its way."""
        residents = self._residency.residents
        held = [residents[key] for key in self._ledger.held() if key in residents]
        on_its_way = [
            LoadedModel(model=key[0], strategy=key[1], loading=0.0)
            for key in self._demands.preparing()
        ]
        if (loading := self._residency.loading) is not None:
            state = LoadedModel(
                model=loading.key[0], strategy=loading.strategy.key, loading=loading.fraction
            )
            on_its_way.append(state)
        return (*map(self._describe, held), *on_its_way)

    def get_memory_stats(self) -> tuple[DeviceMemory, ...]:
        """Budget, reservations and what could be evicted, per device."""
        return self._ledger.devices()

    def size_bytes(self, entry: ModelEntry, strategy: Strategy) -> int | None:
        """All the memory that the model takes here, or will; None where nobody can tell."""
        key = resident_key(entry, strategy)
        if key in self._residency.residents:
            return self._ledger.reservation(key).total_bytes
        return self._demands.size_bytes(entry, strategy)

    def num_waiting(self, model_key: str) -> int:
        """How many requests for the model wait for a slot."""
        return self._queue.num_waiting(model_key)

    async def set_max_vram_usage(self, max_gb: float) -> None:
        """Bound what all GPUs together hold, in 10^9 bytes, shared out as their budgets are now.

        A host without GPUs takes it for its RAM. What no longer fits leaves once it is idle.
        """
        budgets = self._ledger.budgets
        gpus = {name: size for name, size in budgets.items() if name != CPU} or dict(budgets)
        total = max(1, sum(gpus.values()))
        wanted = int(max_gb * 1e9)
        await self.set_budgets({name: wanted * size // total for name, size in gpus.items()})

    async def set_budgets(self, budgets: Mapping[str, int]) -> None:
        """Bytes that models may use of the devices named.

        What no longer fits leaves once it is idle; who waits for what never fits gets DoesNotFit.
        """
        self._ledger.set_budgets({**self._ledger.budgets, **budgets})
        self._queue.fail_what_cannot_fit()
        self._step()
        await asyncio.gather(*self._residency.departures.values())

    def pin(self, model_key: str, *, pinned: bool = True) -> None:
        """Whether the model, once resident, is never evicted."""
        if pinned:
            self._residency.pinned.add(model_key)
        else:
            self._residency.pinned.discard(model_key)
        for key in self._ledger.held():
            if key[0] == model_key:
                self._ledger.pin(key, pinned=pinned)
        self._step()

    def unpin(self, model_key: str) -> None:
        """The model may be evicted again."""
        self.pin(model_key, pinned=False)

    def _keys(self, model_key: str, strategy: Strategy | None) -> list[ResidentKey]:
        return [
            key
            for key, resident in self._residency.residents.items()
            if key[0] == model_key
            and (strategy is None or key == resident_key(resident.entry, strategy))
        ]

    def _describe(self, resident: Resident) -> LoadedModel:
        key, engine = resident.key, resident.engine
        return LoadedModel(
            model=key[0],
            strategy=resident.strategy,
            size_bytes=self._ledger.reservation(key).total_bytes,
            context_tokens=engine.context_tokens,
            num_parameters=engine.num_parameters,
            pinned=self._ledger.is_pinned(key),
            slots=engine.slots,
            num_running=self._ledger.num_users(key),
            num_waiting=self._queue.num_waiting(key[0]),
            generation_s=self._times.mean_s(key[0]),
            load_time_ms=resident.load_s * 1000,
        )

    def _hear_bytes(self, loading: Loading) -> None:
        self._queue.tell_progress(loading)

    def _step(self) -> None:
        self._queue.step()
