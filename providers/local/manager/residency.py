"""Models coming into memory and leaving it, one load at a time."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from contracts.errors import OutOfMemory
from providers.local.engine import Engine
from providers.local.manager.hosted_engine import HostedEngine, LoadEngine
from providers.local.manager.measured_memory import MeasuredMemory
from providers.local.manager.memory_ledger import MemoryLedger
from providers.local.manager.memory_plan import Demand, Reservation, Shortfall
from providers.local.manager.resident_key import ResidentKey, resident_key
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

logger = logging.getLogger(__name__)


class RoomTaken(Exception):
    """The room that a load was meant for is gone; whoever wants the model waits on."""


@dataclass(slots=True)
class Resident:
    """A model in memory; ``num_passed`` urgent requests have passed an overdue one in a row."""

    key: ResidentKey
    entry: ModelEntry
    strategy: str
    engine: Engine
    load_s: float
    loaded_at_s: float
    used_at_s: float = 0.0
    num_passed: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()


@dataclass(slots=True)
class Loading:
    """A model on its way in, once all ``departures`` have ended."""

    key: ResidentKey
    entry: ModelEntry
    strategy: Strategy
    demand: Demand
    departures: dict[ResidentKey, asyncio.Task[None]]
    began_s: float
    reading_since_s: float | None = None
    bytes_done: int = 0
    bytes_total: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def evicting(self) -> tuple[ResidentKey, ...]:
        """Who has not left yet."""
        return tuple(key for key, departure in self.departures.items() if not departure.done())

    @property
    def fraction(self) -> float:
        """How much of the weights is read."""
        return min(1.0, self.bytes_done / max(1, self.bytes_total))


class Residency:
    """Residents and what they hold; ``on_change`` is called after each arrival and departure.

    A load that finds no memory evicts all that may leave its devices and is tried once more.
    """

    def __init__(
        self,
        load: LoadEngine,
        ledger: MemoryLedger,
        measured: MeasuredMemory,
        *,
        on_bytes: Callable[[Loading], None],
        on_change: Callable[[], None],
    ) -> None:
        self._load = load
        self._ledger = ledger
        self._measured = measured
        self._on_bytes = on_bytes
        self._on_change = on_change
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load-model")
        self.residents: dict[ResidentKey, Resident] = {}
        # What the last load of each model took.
        self.loads_s: dict[ResidentKey, float] = {}
        self.departures: dict[ResidentKey, asyncio.Task[None]] = {}
        self.loading: Loading | None = None
        self.pinned: set[str] = set()

    def absent(self) -> frozenset[ResidentKey]:
        """Who can neither serve nor be loaded now."""
        on_its_way = (self.loading.key,) if self.loading is not None else ()
        return frozenset((*self.departures, *on_its_way))

    def enter(self, key: ResidentKey) -> Resident:
        """One more generation uses ``key``."""
        resident = self.residents[key]
        self._ledger.enter(key)
        resident.idle.clear()
        return resident

    def leave(self, resident: Resident) -> None:
        """One generation less uses ``resident``."""
        self._ledger.leave(resident.key)
        resident.used_at_s = time.monotonic()
        if self._ledger.num_users(resident.key) == 0:
            resident.idle.set()

    def retire(self, key: ResidentKey) -> asyncio.Task[None]:
        """Let ``key`` serve no more and free it once nothing uses it."""
        if key not in self.departures:
            resident = self.residents.pop(key)
            task = asyncio.create_task(self._depart(resident))
            task.add_done_callback(_log_failure)
            self.departures[key] = task
        return self.departures[key]

    async def evict_idle(self, devices: Collection[str], spare: str | None = None) -> bool:
        """Free all that may leave ``devices`` but the model ``spare``; whether there was any."""
        leaving = [
            key
            for key in self._ledger.evictable()
            if key in self.residents
            and key[0] != spare
            and _holds(self._ledger.reservation(key), devices)
        ]
        await _settled(map(self.retire, leaving))
        return bool(leaving)

    def retire_dead(self) -> None:
        """Retire the residents whose engine fell."""
        for key, resident in tuple(self.residents.items()):
            if not resident.engine.is_alive:
                logger.warning("the engine of %s fell; the next request loads it anew", key[0])
                self.retire(key)

    def begin(
        self,
        entry: ModelEntry,
        strategy: Strategy,
        demand: Demand,
        victims: tuple[ResidentKey, ...],
    ) -> Loading:
        """Count the model as on its way, and let ``victims`` leave."""
        key = resident_key(entry, strategy)
        departures = {victim: self.retire(victim) for victim in victims}
        self.loading = Loading(key, entry, strategy, demand, departures, time.monotonic())
        return self.loading

    async def load(self, loading: Loading) -> None:
        """Make what has begun resident; :meth:`end` must follow, however this ends.

        Raises: RoomTaken, OutOfMemory, and what the load raises.
        """
        await _settled(loading.departures.values())
        self.residents[loading.key] = await self._load_or_make_room(loading)

    def end(self, loading: Loading) -> None:
        """The load is over."""
        self.loading = None
        loading.ended.set()

    async def close(self) -> None:
        """Free everything once nothing uses it; nothing is loaded afterwards."""
        await _settled(self.retire_all())
        self._thread.shutdown(wait=False)

    def retire_all(self) -> Iterable[asyncio.Task[None]]:
        """Retire everything resident; the departures still under way, old ones included."""
        for key in tuple(self.residents):
            self.retire(key)
        return tuple(self.departures.values())

    async def _depart(self, resident: Resident) -> None:
        try:
            await resident.idle.wait()
            await resident.engine.close()
        finally:
            self._ledger.release(resident.key)
            del self.departures[resident.key]
            self._on_change()

    async def _load_or_make_room(self, loading: Loading) -> Resident:
        reservation = await self._reserve(loading)
        try:
            return await self._load_once(loading, reservation)
        except (OutOfMemory, MemoryError) as exc:
            if not await self.evict_idle(tuple(reservation.devices)):
                raise _out_of_memory(loading, reservation, exc) from exc
        reservation = await self._reserve(loading)
        try:
            return await self._load_once(loading, reservation)
        except MemoryError as exc:
            raise _out_of_memory(loading, reservation, exc) from exc

    async def _reserve(self, loading: Loading) -> Reservation:
        plan = self._ledger.plan(loading.demand)
        if isinstance(plan, Shortfall):
            raise RoomTaken
        await _settled(map(self.retire, plan.victims))
        pinned = loading.key[0] in self.pinned
        self._ledger.reserve(loading.key, plan.reservation, pinned=pinned)
        return plan.reservation

    async def _load_once(self, loading: Loading, reservation: Reservation) -> Resident:
        key, loop = loading.key, asyncio.get_running_loop()
        last_percent = -1

        def on_bytes(num_done: int, num_total: int) -> None:
            nonlocal last_percent
            percent = 100 * num_done // max(num_total, 1)
            if percent != last_percent:
                last_percent = percent
                loop.call_soon_threadsafe(self._hear, loading, num_done, num_total)

        loading.reading_since_s = began_s = time.monotonic()
        try:
            hosted = await loop.run_in_executor(
                self._thread, self._load, loading.entry, loading.strategy, reservation, on_bytes
            )
            await self._commit(key, hosted, reservation)
        except BaseException:
            self._ledger.release(key)
            raise
        now_s = time.monotonic()
        self.loads_s[key] = load_s = now_s - began_s
        return Resident(key, loading.entry, loading.strategy.key, hosted.engine, load_s, now_s)

    async def _commit(
        self, key: ResidentKey, hosted: HostedEngine, reservation: Reservation
    ) -> None:
        total_bytes = sum(hosted.measured.values())
        self._measured.remember(key, total_bytes=total_bytes, kv_bytes=reservation.kv_bytes)
        victims = self._ledger.plan_growth(key, hosted.measured)
        if isinstance(victims, Shortfall):
            logger.warning("%s took %d bytes, more than there is room for", key[0], total_bytes)
            await hosted.engine.close()
            raise RoomTaken
        await _settled(map(self.retire, victims))
        self._ledger.commit(key, hosted.measured)

    def _hear(self, loading: Loading, num_done: int, num_total: int) -> None:
        loading.bytes_done, loading.bytes_total = num_done, num_total
        if self.loading is loading:
            self._on_bytes(loading)


def _holds(reservation: Reservation, devices: Collection[str]) -> bool:
    return any(reservation.devices.get(name, 0) for name in devices)


def _out_of_memory(
    loading: Loading, reservation: Reservation, exc: OutOfMemory | MemoryError
) -> OutOfMemory:
    if isinstance(exc, OutOfMemory):
        return exc
    return OutOfMemory(
        model=loading.key[0],
        device=", ".join(reservation.devices),
        reason="it does not fit the memory that is left",
    )


async def _settled(departures: Iterable[asyncio.Task[None]]) -> None:
    """Wait for them; one that failed is logged, and has given its memory back all the same."""
    await asyncio.gather(*departures, return_exceptions=True)


def _log_failure(departure: asyncio.Task[None]) -> None:
    if not departure.cancelled() and (exc := departure.exception()) is not None:
        logger.error("a model could not be freed in order: %s", exc)
