"""Requests that wait for a model: admitted, told why they wait, and failed when it cannot come."""

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Iterable

from contracts.errors import DoesNotFit, NotReady, OutOfMemory
from contracts.generation import LoadProgress
from contracts.prompt import Priority
from providers.local.manager.demand_book import DemandBook
from providers.local.manager.generation_times import GenerationTimes
from providers.local.manager.lease import Lease, Waiter
from providers.local.manager.memory_ledger import MemoryLedger
from providers.local.manager.memory_plan import Plan
from providers.local.manager.request_scheduler import (
    Admit,
    Load,
    Served,
    Situation,
    Waiting,
    next_action,
    passes_overdue,
)
from providers.local.manager.residency import Loading, Residency, Resident, RoomTaken
from providers.local.manager.resident_key import ResidentKey, resident_key
from providers.local.manager.wait_notes import LoadUnderWay, Standing, write_note
from providers.provider import OnProgress, OnWait
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

NOTE_EVERY_S = 1.0
# How often is looked at whether time alone makes a difference.
STEP_EVERY_S = 0.25
# How often in a row a load may find its room gone before it counts as a failure.
MAX_ROOM_TAKEN = 3


class RequestQueue:
    """Does what the scheduler decides, whenever anything changed or time has passed.

    :meth:`step` is to be called after every change from outside.
    """

    def __init__(
        self,
        *,
        ledger: MemoryLedger,
        demands: DemandBook,
        residency: Residency,
        times: GenerationTimes,
        max_wait_s: float,
        host: str | None,
    ) -> None:
        self._ledger = ledger
        self._demands = demands
        self._residency = residency
        self._times = times
        self._max_wait_s = max_wait_s
        self._host = host
        self._ids = itertools.count()
        self._waiters: dict[int, Waiter] = {}
        self._num_room_taken: dict[ResidentKey, int] = {}
        self._loads: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False

    async def wait(
        self,
        entry: ModelEntry,
        strategy: Strategy,
        *,
        priority: Priority,
        since_s: float,
        cache_hit: bool,
        on_wait: OnWait | None,
        on_progress: OnProgress | None,
    ) -> Lease:
        """A slot of the model, whose demand must have been prepared."""
        if self._closed:
            raise _closing()
        waiter = Waiter(
            request=Waiting(next(self._ids), resident_key(entry, strategy), priority, since_s),
            entry=entry,
            strategy=strategy,
            lease=asyncio.get_running_loop().create_future(),
            cache_hit=cache_hit,
            on_wait=on_wait,
            on_progress=on_progress,
        )
        self._waiters[waiter.request.id] = waiter
        self.step()
        if not waiter.lease.done():
            self._tell((waiter,))
            self._start_ticker()
        try:
            return await waiter.lease
        except asyncio.CancelledError:
            # It may have been admitted at the very moment at which nobody wants it any more.
            _release_unused(waiter.lease)
            raise
        finally:
            if self._waiters.pop(waiter.request.id, None) is not None:
                self.step()

    def num_waiting(self, model: str) -> int:
        """How many requests for ``model`` wait."""
        return sum(waiter.key[0] == model for waiter in self._waiters.values())

    def step(self) -> None:
        """Admit and load whatever the scheduler says."""
        self._residency.retire_dead()
        for key in self._ledger.overdrawn():
            if key in self._residency.residents:
                self._residency.retire(key)
        while not self._closed:
            action = next_action(self._situation(), self._find_room)
            if isinstance(action, Admit):
                self._admit(self._waiters.pop(action.id))
            elif isinstance(action, Load):
                self._begin_load(action)
            else:
                return

    def fail_what_cannot_fit(self) -> None:
        """Tell those whose model no longer fits any device, alone as it may be."""
        for waiter in tuple(self._waiters.values()):
            if waiter.key in self._residency.residents:
                continue
            try:
                self._demands.demand(waiter.key)
            except DoesNotFit as exc:
                self._fail((waiter,), exc)

    def tell_progress(self, loading: Loading) -> None:
        """Let those who wait for ``loading`` hear how far it is."""
        progress = LoadProgress(
            model=loading.key[0], bytes_done=loading.bytes_done, bytes_total=loading.bytes_total
        )
        for waiter in self._waiting_for(loading.key):
            if waiter.on_progress is not None:
                waiter.on_progress(progress)

    async def close(self) -> None:
        """Fail all who wait, and let a load under way end."""
        self._closed = True
        self._fail(tuple(self._waiters.values()), _closing())
        if self._ticker is not None:
            self._ticker.cancel()
        await asyncio.gather(*self._loads, return_exceptions=True)

    def _situation(self) -> Situation:
        waiting = [one.request for one in self._waiters.values() if not one.lease.done()]
        served = {key: self._served(one) for key, one in self._residency.residents.items()}
        return Situation(
            now_s=time.monotonic(),
            waiting=waiting,
            served=served,
            absent=self._residency.absent(),
            is_loading=self._residency.loading is not None,
            max_wait_s=self._max_wait_s,
            loads_s=self._residency.loads_s,
        )

    def _served(self, resident: Resident) -> Served:
        return Served(
            key=resident.key,
            slots=resident.engine.slots,
            num_running=self._ledger.num_users(resident.key),
            loaded_at_s=resident.loaded_at_s,
            used_at_s=resident.used_at_s,
            load_s=resident.load_s,
            num_passed=resident.num_passed,
        )

    def _find_room(
        self, key: ResidentKey, spare: Collection[ResidentKey]
    ) -> tuple[ResidentKey, ...] | None:
        try:
            demand = self._demands.demand(key)
        except DoesNotFit:
            return None
        leaving = self._residency.departures
        if leaving:
            # Who is leaving anyway makes room first.
            staying = [held for held in self._ledger.held() if held not in leaving]
            plan = self._ledger.plan(demand, spare=staying, as_if_idle=True)
            if isinstance(plan, Plan):
                return plan.victims
        plan = self._ledger.plan(demand, spare=spare, as_if_idle=True)
        return plan.victims if isinstance(plan, Plan) else None

    def _admit(self, waiter: Waiter) -> None:
        situation = self._situation()
        resident = self._residency.enter(waiter.key)
        passes = passes_overdue(situation, waiter.request)
        resident.num_passed = resident.num_passed + 1 if passes else 0
        resident.strategy = waiter.strategy.key
        waited_s = situation.now_s - waiter.request.since_s
        load_s = min(waiter.load_s, waited_s)
        lease = Lease(
            resident,
            cache_hit=waiter.cache_hit,
            load_time_ms=load_s * 1000,
            queue_time_ms=(waited_s - load_s) * 1000,
            on_release=self._releaser(resident, situation.now_s),
        )
        waiter.lease.set_result(lease)

    def _releaser(self, resident: Resident, began_s: float) -> Callable[[bool], None]:
        def release(has_finished: bool) -> None:
            if has_finished:
                self._times.add(resident.key[0], time.monotonic() - began_s)
            self._residency.leave(resident)
            self.step()

        return release

    def _begin_load(self, action: Load) -> None:
        waiter = self._waiting_for(action.key)[0]
        loading = self._residency.begin(
            waiter.entry, waiter.strategy, self._demands.demand(action.key), action.victims
        )
        task = asyncio.create_task(self._load(loading))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _load(self, loading: Loading) -> None:
        key = loading.key
        try:
            await self._residency.load(loading)
            self._num_room_taken.pop(key, None)
        except RoomTaken:
            self._try_again(loading)
        except Exception as exc:
            self._demands.forget(key)
            self._fail(self._waiting_for(key), exc)
        finally:
            now_s = time.monotonic()
            for waiter in self._waiting_for(key):
                waiter.load_s += now_s - max(loading.began_s, waiter.request.since_s)
            self._residency.end(loading)
            self.step()

    def _try_again(self, loading: Loading) -> None:
        """The room was gone, or too little; those who cannot hope any more are told."""
        key = loading.key
        self._num_room_taken[key] = self._num_room_taken.get(key, 0) + 1
        self.fail_what_cannot_fit()
        if self._num_room_taken[key] >= MAX_ROOM_TAKEN:
            del self._num_room_taken[key]
            reason = "it takes more than it was given, again and again"
            devices = ", ".join(self._ledger.budgets)
            error = OutOfMemory(model=key[0], device=devices, reason=reason)
            self._fail(self._waiting_for(key), error)

    def _fail(self, waiters: Iterable[Waiter], error: Exception) -> None:
        for waiter in waiters:
            self._waiters.pop(waiter.request.id, None)
            if not waiter.lease.done():
                waiter.lease.set_exception(error)

    def _waiting_for(self, key: ResidentKey) -> list[Waiter]:
        return [waiter for waiter in self._waiters.values() if waiter.key == key]

    def _start_ticker(self) -> None:
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        pause_s = min(STEP_EVERY_S, self._max_wait_s / 10)
        told_s = time.monotonic()
        while self._waiters:
            await asyncio.sleep(pause_s)
            self.step()
            if time.monotonic() - told_s >= NOTE_EVERY_S:
                told_s = time.monotonic()
                self._tell(tuple(self._waiters.values()))

    def _tell(self, waiters: Iterable[Waiter]) -> None:
        situation = self._situation()
        order = [request.id for request in situation.in_order()]
        for waiter in waiters:
            if waiter.on_wait is not None and not waiter.lease.done():
                ahead = order[: order.index(waiter.request.id)]
                position = sum(self._waiters[one].key == waiter.key for one in ahead)
                standing = self._standing(waiter, situation, position)
                waiter.on_wait(write_note(standing, self._host))

    def _standing(self, waiter: Waiter, situation: Situation, position: int) -> Standing:
        served = situation.served.get(waiter.key)
        victims = () if served else self._find_room(waiter.key, ())
        pinned = [key for key in self._ledger.held() if self._ledger.is_pinned(key)]
        return Standing(
            model=waiter.key[0],
            waited_s=situation.now_s - waiter.request.since_s,
            position=position,
            num_running=served.num_running if served else 0,
            slots=served.slots if served else 0,
            generation_s=self._times.mean_s(waiter.key[0]),
            load=self._load_under_way(situation.now_s),
            must_leave=_names(pinned if victims is None else victims),
            is_blocked=victims is None,
        )

    def _load_under_way(self, now_s: float) -> LoadUnderWay | None:
        loading = self._residency.loading
        if loading is None:
            return None
        return LoadUnderWay(
            model=loading.key[0],
            fraction=loading.fraction,
            read_for_s=now_s - (loading.reading_since_s or now_s),
            evicting=_names(loading.evicting),
        )


def _release_unused(lease: "asyncio.Future[Lease]") -> None:
    if lease.done() and not lease.cancelled() and lease.exception() is None:
        lease.result().release()


def _names(keys: Iterable[ResidentKey]) -> tuple[str, ...]:
    return tuple(key[0] for key in keys)


def _closing() -> NotReady:
    return NotReady("this executor is stopping", cure="send the prompt again")
