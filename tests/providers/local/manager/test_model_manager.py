import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from contracts.generation import LoadProgress
from providers.local.manager.model_manager import Lease, ModelManager, OnBytes, resident_key
from providers.registries.model_entry import Dtype, ModelEntry
from providers.registries.strategy_registry import Strategy

STANDARD = Strategy(key="standard", promise="as it is")
FAST = Strategy(key="optimized", promise="fast", dtype="fast")


def entry(key: str, dtype: Dtype = "float32") -> ModelEntry:
    return ModelEntry(key=key, source="a/b", dtype=dtype)


@dataclass
class Shelf:
    """Loads names instead of weights, on the manager's thread, and remembers what happened."""

    events: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    broken: set[str] = field(default_factory=set)

    def load(self, model: ModelEntry, strategy: Strategy, on_bytes: OnBytes) -> str:
        for num_done in range(0, 1001, 50):
            on_bytes(num_done, 1000)
        self.gate.wait(5)
        self.events.append(f"load {model.key}")
        if model.key in self.broken:
            raise OSError(model.key)
        return model.key

    def free(self, model: str) -> None:
        self.events.append(f"free {model}")

    def manager(self, max_resident: int = 2) -> ModelManager[str]:
        self.gate.set()
        return ModelManager(self.load, self.free, max_resident=max_resident)


async def visit(manager: ModelManager[str], key: str) -> None:
    (await manager.acquire(entry(key), STANDARD)).release()


async def test_many_requests_load_a_model_once() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    leases = await asyncio.gather(*(manager.acquire(entry("a"), STANDARD) for _ in range(20)))
    assert shelf.events == ["load a"]
    assert not any(lease.cache_hit for lease in leases)
    later = await manager.acquire(entry("a"), STANDARD)
    assert later.cache_hit
    assert later.load_time_ms == 0.0
    for lease in (*leases, later):
        lease.release()
    await manager.close()
    assert shelf.events == ["load a", "free a"]


async def test_the_least_recently_used_goes_first() -> None:
    shelf = Shelf()
    manager = shelf.manager(max_resident=2)
    for key in ("a", "b", "a", "c"):
        await visit(manager, key)
    assert shelf.events == ["load a", "load b", "free b", "load c"]
    assert [key for key, _ in manager.residents()] == ["a", "c"]
    await manager.close()


async def test_a_model_in_use_is_never_freed() -> None:
    shelf = Shelf()
    manager = shelf.manager(max_resident=1)
    held = await manager.acquire(entry("a"), STANDARD)
    wanting = asyncio.create_task(manager.acquire(entry("b"), STANDARD))
    await asyncio.sleep(0.02)
    assert not wanting.done()
    assert shelf.events == ["load a"]
    held.release()
    (await wanting).release()
    assert shelf.events == ["load a", "free a", "load b"]
    await manager.close()


async def test_more_waiters_than_places_all_get_their_turn() -> None:
    shelf = Shelf()
    manager = shelf.manager(max_resident=2)

    async def use(key: str) -> None:
        lease = await manager.acquire(entry(key), STANDARD)
        assert sum(not resident.is_idle() for _, resident in manager.residents()) <= 2
        await asyncio.sleep(0.001)
        lease.release()

    async with asyncio.timeout(10):
        await asyncio.gather(*(use(key) for key in "abcdabcdabcd"))
    assert len(manager.residents()) <= 2
    await manager.close()


async def test_a_cancelled_wait_leaves_the_load_going() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    shelf.gate.clear()
    waiting = asyncio.create_task(manager.acquire(entry("a"), STANDARD))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    shelf.gate.set()
    await visit(manager, "a")
    assert shelf.events == ["load a"]
    await manager.close()


async def test_a_failed_load_reaches_all_who_wait_and_is_tried_again() -> None:
    shelf = Shelf(broken={"a"})
    manager = shelf.manager()
    outcomes = await asyncio.gather(
        *(manager.acquire(entry("a"), STANDARD) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    assert shelf.events == ["load a"]
    shelf.broken.clear()
    await visit(manager, "a")
    assert manager.loading() == ()
    await manager.close()


async def test_progress_is_told_on_the_loop_and_shown_as_a_fraction() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    shelf.gate.clear()
    reports: list[LoadProgress] = []
    threads: set[int] = set()
    all_read = asyncio.Event()

    def hear(report: LoadProgress) -> None:
        reports.append(report)
        threads.add(threading.get_ident())
        if report.bytes_done == report.bytes_total:
            all_read.set()

    loading = asyncio.create_task(manager.acquire(entry("a"), STANDARD, hear))
    await all_read.wait()
    assert manager.loading() == (("a", "standard", 1.0),)
    assert [report.bytes_done for report in reports] == list(range(0, 1001, 50))
    assert threads == {threading.get_ident()}
    shelf.gate.set()
    (await loading).release()
    await manager.close()


async def test_unloading_waits_for_users_and_new_requests_load_again() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    held: Lease[str] = await manager.acquire(entry("a"), STANDARD)
    unloading = asyncio.create_task(manager.unload("a"))
    await asyncio.sleep(0.01)
    assert not unloading.done()
    await visit(manager, "a")
    held.release()
    assert await unloading
    assert shelf.events == ["load a", "load a", "free a"]
    await manager.close()


def test_strategies_share_weights_unless_they_differ() -> None:
    assert resident_key(entry("a"), STANDARD) != resident_key(entry("a"), FAST)
    assert resident_key(entry("a", "bfloat16"), STANDARD) == resident_key(
        entry("a", "bfloat16"), FAST
    )


def test_no_place_at_all_is_refused() -> None:
    shelf = Shelf()
    with pytest.raises(ValueError, match="max_resident"):
        ModelManager(shelf.load, shelf.free, max_resident=0)
