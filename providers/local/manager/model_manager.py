"""Which models are resident, who uses them, and which goes when another must come."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from contracts.generation import LoadProgress
from providers.provider import OnProgress
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

ModelT = TypeVar("ModelT")
OnBytes = Callable[[int, int], None]
# Model key and kind of weights: strategies that load the same weights share them.
ResidentKey = tuple[str, str]

DEFAULT_MAX_RESIDENT = 2

_SIXTEEN_BIT = ("bfloat16", "float16")


def resident_key(entry: ModelEntry, strategy: Strategy) -> ResidentKey:
    """What must be resident to run ``entry`` with ``strategy``; pure."""
    fast = strategy.dtype == "fast" and entry.dtype not in _SIXTEEN_BIT
    return entry.key, "fast" if fast else "checkpoint"


@dataclass(slots=True)
class Resident(Generic[ModelT]):
    """A model in memory, for one generation at a time (``slot``)."""

    model: ModelT
    strategy: str
    num_users: int = 0
    slot: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_idle(self) -> bool:
        """Whether nobody holds it."""
        return self.num_users == 0


@dataclass(slots=True)
class _Loading:
    listeners: list[OnProgress]
    strategy: str
    fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class Lease(Generic[ModelT]):
    """A hold on a resident model, which stays until :meth:`release`."""

    resident: Resident[ModelT]
    cache_hit: bool
    load_time_ms: float
    release: Callable[[], None]


class ModelManager(Generic[ModelT]):
    """Loads each model once, keeps at most ``max_resident``, frees the least recently used.

    ``load`` runs on a thread of its own, one at a time, and reports bytes through its third
    argument from that thread; ``free`` runs there too. A model in use is never freed: whoever
    wants a place waits. Bound to one event loop.
    """

    def __init__(
        self,
        load: Callable[[ModelEntry, Strategy, OnBytes], ModelT],
        free: Callable[[ModelT], None],
        *,
        max_resident: int = DEFAULT_MAX_RESIDENT,
    ) -> None:
        if max_resident < 1:
            raise ValueError("max_resident must be at least 1")
        self._load = load
        self._free = free
        self._max_resident = max_resident
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load-model")
        # Least recently used first.
        self._residents: dict[ResidentKey, Resident[ModelT]] = {}
        self._loads: dict[ResidentKey, asyncio.Task[None]] = {}
        self._loading: dict[ResidentKey, _Loading] = {}
        self._one_load = asyncio.Lock()
        self._idle = asyncio.Condition()
        self._wakes: set[asyncio.Task[None]] = set()

    async def acquire(
        self, entry: ModelEntry, strategy: Strategy, on_progress: OnProgress | None = None
    ) -> Lease[ModelT]:
        """A hold on the model, loaded first if need be.

        Cancelling the wait leaves the load going: others may wait for it, or come back.
        """
        key = resident_key(entry, strategy)
        asked_at = time.perf_counter()
        cache_hit = key in self._residents
        # A model may be freed between its load and this waiter's turn; then it is loaded again.
        while (resident := self._residents.get(key)) is None:
            await asyncio.shield(self._start_load(key, entry, strategy, on_progress))
        load_time_ms = 0.0 if cache_hit else (time.perf_counter() - asked_at) * 1000
        self._residents[key] = self._residents.pop(key)
        resident.strategy = strategy.key
        resident.num_users += 1
        return Lease(resident, cache_hit, load_time_ms, lambda: self._release(resident))

    def residents(self) -> tuple[tuple[str, Resident[ModelT]], ...]:
        """Model key and state of everything resident, the most recently used last."""
        return tuple((key[0], resident) for key, resident in self._residents.items())

    def loading(self) -> tuple[tuple[str, str, float], ...]:
        """Model key, strategy and fraction read of everything on its way."""
        return tuple(
            (key[0], loading.strategy, loading.fraction) for key, loading in self._loading.items()
        )

    async def unload(self, model: str) -> bool:
        """Free ``model`` in all its forms once nothing uses it; False when there was none."""
        loads = [load for key, load in self._loads.items() if key[0] == model]
        await asyncio.gather(*loads, return_exceptions=True)
        leaving = [self._residents.pop(key) for key in tuple(self._residents) if key[0] == model]
        for resident in leaving:
            async with self._idle:
                await self._idle.wait_for(resident.is_idle)
            await self._run_free(resident)
        return bool(leaving)

    async def close(self) -> None:
        """Free everything; the manager loads nothing afterwards."""
        for model in {key[0] for key in (*self._loads, *self._residents)}:
            await self.unload(model)
        self._thread.shutdown(wait=False)

    def _start_load(
        self,
        key: ResidentKey,
        entry: ModelEntry,
        strategy: Strategy,
        on_progress: OnProgress | None,
    ) -> asyncio.Task[None]:
        if key not in self._loads:
            self._loading[key] = _Loading([], strategy.key)
            task = asyncio.create_task(self._run_load(key, entry, strategy))
            task.add_done_callback(lambda done: self._load_ended(key, done))
            self._loads[key] = task
        if on_progress is not None and on_progress not in self._loading[key].listeners:
            self._loading[key].listeners.append(on_progress)
        return self._loads[key]

    async def _run_load(self, key: ResidentKey, entry: ModelEntry, strategy: Strategy) -> None:
        loop = asyncio.get_running_loop()
        last_percent = -1

        def on_bytes(num_done: int, num_total: int) -> None:
            nonlocal last_percent
            percent = 100 * num_done // max(num_total, 1)
            if percent != last_percent:
                last_percent = percent
                loop.call_soon_threadsafe(self._report, key, num_done, num_total)

        async with self._one_load:
            await self._make_room()
            model = await loop.run_in_executor(self._thread, self._load, entry, strategy, on_bytes)
            self._residents[key] = Resident(model, strategy.key)

    def _load_ended(self, key: ResidentKey, done: asyncio.Task[None]) -> None:
        del self._loads[key], self._loading[key]
        # Whoever asked may have gone; the next one who asks gets the error of a new attempt.
        if not done.cancelled():
            done.exception()

    def _report(self, key: ResidentKey, num_done: int, num_total: int) -> None:
        loading = self._loading.get(key)
        if loading is None:
            return
        loading.fraction = num_done / max(num_total, 1)
        progress = LoadProgress(model=key[0], bytes_done=num_done, bytes_total=num_total)
        for listener in loading.listeners:
            listener(progress)

    async def _make_room(self) -> None:
        while len(self._residents) >= self._max_resident:
            async with self._idle:
                await self._idle.wait_for(self._has_room_or_idle)
            if (key := self._first_idle()) is not None:
                await self._run_free(self._residents.pop(key))

    def _has_room_or_idle(self) -> bool:
        return len(self._residents) < self._max_resident or self._first_idle() is not None

    def _first_idle(self) -> ResidentKey | None:
        return next((key for key, held in self._residents.items() if held.is_idle()), None)

    async def _run_free(self, resident: Resident[ModelT]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._free, resident.model)

    def _release(self, resident: Resident[ModelT]) -> None:
        resident.num_users -= 1
        if resident.is_idle():
            task = asyncio.ensure_future(self._wake())
            self._wakes.add(task)
            task.add_done_callback(self._wakes.discard)

    async def _wake(self) -> None:
        async with self._idle:
            self._idle.notify_all()
