import asyncio
import threading
from typing import Any

import pytest

from contracts.errors import NotReady
from contracts.generation import LoadProgress
from contracts.prompt import Priority
from contracts.waiting import WaitCause, WaitNote
from providers.local.manager.model_manager import ModelManager
from providers.local.manager.resident_key import resident_key
from providers.registries.model_entry import ModelEntry
from tests.providers.local.manager.shelf import (
    FAST,
    STANDARD,
    Shelf,
    acquire,
    entry,
    held_bytes,
    loaded,
    visit,
)


async def test_many_requests_load_a_model_once() -> None:
    shelf = Shelf(slots=32)
    manager = shelf.manager()
    leases = await asyncio.gather(*(acquire(manager, "a") for _ in range(20)))
    assert shelf.events == ["load a"]
    assert not any(lease.cache_hit for lease in leases)
    assert all(lease.load_time_ms > 0.0 for lease in leases)
    later = await acquire(manager, "a")
    assert later.cache_hit
    assert later.load_time_ms == 0.0
    for lease in (*leases, later):
        lease.release()
    await manager.close()
    assert shelf.events == ["load a", "free a"]


async def test_more_waiters_than_places_all_get_their_turn() -> None:
    shelf = Shelf()
    manager = shelf.manager(max_wait_s=0.5)

    async def use(key: str) -> None:
        lease = await acquire(manager, key)
        assert held_bytes(manager) <= 2400
        await asyncio.sleep(0.001)
        lease.release()

    async with asyncio.timeout(20):
        await asyncio.gather(*(use(key) for key in "abcdabcdabcd"))
    assert len(loaded(manager)) <= 2
    await manager.close()


async def test_two_models_with_room_for_one_take_two_hundred_requests_in_few_swaps() -> None:
    shelf = Shelf()
    manager = shelf.manager(budget_bytes=1200)

    async def use(key: str) -> None:
        lease = await acquire(manager, key)
        await asyncio.sleep(0)
        lease.release(has_finished=True)

    async with asyncio.timeout(30):
        await asyncio.gather(*(use("ab"[number % 2]) for number in range(200)))
    assert sum(event.startswith("free") for event in shelf.events) <= 10
    await manager.close()


async def test_the_most_urgent_request_gets_the_next_slot() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    held = await acquire(manager, "a")
    order: list[Priority] = []

    async def use(priority: Priority) -> None:
        lease = await acquire(manager, "a", priority=priority)
        order.append(priority)
        lease.release()

    uses = [asyncio.create_task(use(priority)) for priority in reversed(Priority)]
    await asyncio.sleep(0)
    held.release()
    await asyncio.gather(*uses)
    assert order == list(Priority)
    await manager.close()


async def test_an_overdue_request_makes_a_model_that_never_rests_leave() -> None:
    shelf = Shelf(slots=2)
    manager = shelf.manager(budget_bytes=1200, max_wait_s=0.3)
    busy = True

    async def keep_busy() -> None:
        while busy:
            lease = await acquire(manager, "a")
            await asyncio.sleep(0.01)
            lease.release()

    crowd = [asyncio.create_task(keep_busy()) for _ in range(4)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        (await acquire(manager, "b", priority=Priority.BATCH)).release()
    busy = False
    await asyncio.gather(*crowd)
    await manager.close()


async def test_a_cancelled_wait_leaves_the_load_going() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    shelf.gate.clear()
    waiting = asyncio.create_task(acquire(manager, "a"))
    while manager.get_loaded_models()[0:1] == () or not shelf_is_asked(manager):
        await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    shelf.gate.set()
    await visit(manager, "a")
    assert shelf.events == ["load a"]
    await manager.close()


def shelf_is_asked(manager: ModelManager) -> bool:
    return any(state.loading == 1.0 for state in manager.get_loaded_models())


async def test_waits_that_are_cancelled_at_any_moment_leave_nothing_held() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    for num_turns in range(30):
        task = asyncio.create_task(acquire(manager, "a"))
        for _ in range(num_turns):
            await asyncio.sleep(0)
        if task.done():
            task.result().release()
            continue
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await visit(manager, "a")
    assert manager.get_loaded_models()[0].num_running == 0
    assert manager.num_waiting("a") == 0
    await manager.close()


async def test_a_failed_load_reaches_all_who_wait_and_is_tried_again() -> None:
    shelf = Shelf(broken={"a"}, slots=4)
    manager = shelf.manager()
    outcomes = await asyncio.gather(
        *(acquire(manager, "a") for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    assert shelf.events == ["load a"]
    assert held_bytes(manager) == 0
    shelf.broken.clear()
    await visit(manager, "a")
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

    loading = asyncio.create_task(acquire(manager, "a", on_progress=hear))
    await all_read.wait()
    (state,) = manager.get_loaded_models()
    assert (state.model, state.strategy, state.loading) == ("a", "standard", 1.0)
    assert [report.bytes_done for report in reports] == list(range(0, 1001, 50))
    assert threads == {threading.get_ident()}
    shelf.gate.set()
    (await loading).release()
    await manager.close()


async def test_who_waits_is_told_why_at_once_and_again() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    shelf.gate.clear()
    notes: list[WaitNote] = []
    waiting = asyncio.create_task(acquire(manager, "a", on_wait=notes.append))
    while len(notes) < 2:
        await asyncio.sleep(0.01)
    assert {note.cause for note in notes} == {WaitCause.LOADING}
    assert notes[1].message == "loading a, 100 % read"
    assert (notes[1].progress, notes[1].position, notes[1].host) == (1.0, 0, "box")
    assert notes[1].waited_s >= 1.0
    shelf.gate.set()
    held = await waiting
    behind = [asyncio.create_task(acquire(manager, "a", on_wait=notes.append)) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert [(note.cause, note.position) for note in notes[-3:]] == [
        (WaitCause.QUEUED, 0),
        (WaitCause.QUEUED, 1),
        (WaitCause.QUEUED, 2),
    ]
    assert notes[-1].message == "behind 2 others"
    held.release(has_finished=True)
    for task in behind:
        (await task).release()
    assert manager.get_loaded_models()[0].generation_s is not None
    await manager.close()


async def test_unloading_waits_for_users_and_who_comes_meanwhile_gets_a_new_load() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    held = await acquire(manager, "a")
    unloading = asyncio.create_task(manager.unload_model("a"))
    coming = asyncio.create_task(acquire(manager, "a"))
    await asyncio.sleep(0.01)
    assert not unloading.done()
    assert not coming.done()
    held.release()
    assert await unloading
    (await coming).release()
    assert shelf.events == ["load a", "free a", "load a"]
    assert not await manager.unload_model("b")
    await manager.close()


async def test_a_fallen_engine_is_freed_and_the_next_request_loads_the_model_anew() -> None:
    shelf = Shelf(slots=2)
    manager = shelf.manager()
    first, second = await acquire(manager, "a"), await acquire(manager, "a")
    engine: Any = first.engine
    engine.is_alive = False
    first.release()
    coming = asyncio.create_task(acquire(manager, "a"))
    await asyncio.sleep(0.01)
    assert not coming.done()
    second.release()
    third = await coming
    assert third.engine.is_alive
    assert shelf.events == ["load a", "free a", "load a"]
    third.release()
    await manager.close()


async def test_what_people_know_of_the_older_manager_is_still_there() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    state = await manager.load_model(entry("a"), STANDARD)
    assert (state.model, state.source, state.slots) == ("a", "local", 1)
    assert state.load_time_ms > 0.0
    assert state.size_bytes == held_bytes(manager)
    assert manager.is_model_loaded("a")
    assert manager.is_model_loaded("a", STANDARD)
    assert not manager.is_model_loaded("b")
    engine = manager.get_model("a")
    assert engine is not None
    assert await manager.load_model(entry("a"), STANDARD) == state
    assert [device.name for device in manager.get_memory_stats()] == ["cpu"]
    await manager.cleanup_all()
    assert not manager.is_model_loaded("a")
    assert shelf.events == ["load a", "free a"]
    await manager.load_model(entry("a"), STANDARD)
    await manager.close()


async def test_closing_tells_those_who_wait() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    held = await acquire(manager, "a")
    waiting = asyncio.create_task(acquire(manager, "a"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(manager.close())
    with pytest.raises(NotReady):
        await waiting
    held.release()
    await closing
    with pytest.raises(NotReady):
        await acquire(manager, "a")


def test_strategies_share_weights_unless_they_differ() -> None:
    whole = ModelEntry(key="a", source="a/b", dtype="float32")
    assert resident_key(whole, STANDARD) != resident_key(whole, FAST)
    assert resident_key(entry("a"), STANDARD) == resident_key(entry("a"), FAST)
