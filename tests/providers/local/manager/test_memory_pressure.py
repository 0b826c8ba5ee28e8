"""Models that do not all fit: who leaves, who stays, and who cannot come."""

import asyncio

import pytest

from contracts.errors import DoesNotFit, OutOfMemory
from contracts.waiting import WaitCause, WaitNote
from tests.providers.local.manager.shelf import (
    STANDARD,
    Shelf,
    acquire,
    entry,
    held_bytes,
    loaded,
    visit,
)


async def test_the_least_recently_used_goes_first() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    for key in ("a", "b", "a", "c"):
        await visit(manager, key)
    assert shelf.events == ["load a", "load b", "free b", "load c"]
    assert loaded(manager) == ["a", "c"]
    await manager.close()


async def test_a_pinned_model_stays_and_a_model_in_use_too() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    await visit(manager, "a")
    manager.pin("a")
    held = await acquire(manager, "b")
    notes: list[WaitNote] = []
    wanting = asyncio.create_task(acquire(manager, "c", on_wait=notes.append))
    await asyncio.sleep(0.02)
    assert not wanting.done()
    assert shelf.events == ["load a", "load b"]
    assert [(note.cause, note.message) for note in notes] == [
        (WaitCause.NO_ROOM, "waiting for the memory of b")
    ]
    held.release()
    (await wanting).release()
    assert shelf.events == ["load a", "load b", "free b", "load c"]
    assert manager.get_loaded_models()[0].pinned
    await manager.close()


async def test_who_waits_for_memory_that_is_pinned_is_told_so_and_served_once_it_is_not() -> None:
    shelf = Shelf()
    manager = shelf.manager(budget_bytes=1200)
    manager.pin("a")
    await visit(manager, "a")
    notes: list[WaitNote] = []
    wanting = asyncio.create_task(acquire(manager, "b", on_wait=notes.append))
    while not notes:
        await asyncio.sleep(0.001)
    assert notes[0].cause is WaitCause.NO_ROOM
    assert notes[0].message == "memory is held by pinned models: a"
    manager.unpin("a")
    (await wanting).release()
    assert loaded(manager) == ["b"]
    await manager.close()


async def test_a_load_out_of_memory_evicts_who_is_idle_and_is_tried_once_more() -> None:
    shelf = Shelf()
    manager = shelf.manager(budget_bytes=5000)
    await visit(manager, "idle")
    manager.pin("pinned")
    await visit(manager, "pinned")
    busy = await acquire(manager, "busy")
    shelf.short["a"] = 1
    await visit(manager, "a")
    assert shelf.events[3:] == ["load a", "free idle", "load a"]
    assert loaded(manager) == ["pinned", "busy", "a"]
    shelf.short["b"] = 2
    with pytest.raises(OutOfMemory):
        await acquire(manager, "b")
    assert loaded(manager) == ["pinned", "busy"]
    busy.release()
    await manager.close()


async def test_a_model_that_took_more_than_thought_is_given_more_the_next_time() -> None:
    shelf = Shelf(measured={"big": 1500})
    manager = shelf.manager()
    await visit(manager, "a")
    await visit(manager, "big")
    # It was thought to fit beside the other.
    assert shelf.events == ["load a", "load big", "free a"]
    assert held_bytes(manager) == 1500
    shelf.measured["huge"] = 9000
    with pytest.raises(DoesNotFit) as caught:
        await acquire(manager, "huge")
    assert caught.value.needed_bytes == 9000
    assert caught.value.shortfalls == ("cpu lacks 0.0 MiB",)
    await manager.close()


async def test_a_model_that_fits_no_device_is_refused_at_once() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    with pytest.raises(DoesNotFit, match="cpu lacks 1"):
        await manager.acquire(entry("big", num_bytes=1 << 20), STANDARD)
    assert shelf.events == []
    await manager.close()


async def test_a_lower_budget_frees_what_is_idle_and_fails_what_can_never_come() -> None:
    shelf = Shelf()
    manager = shelf.manager()
    await visit(manager, "a")
    held = await acquire(manager, "b")
    big = entry("big", num_bytes=2000)
    wanting = asyncio.create_task(manager.acquire(big, STANDARD))
    await asyncio.sleep(0.02)
    await manager.set_max_vram_usage(1300 / 1e9)
    assert loaded(manager) == ["b"]
    with pytest.raises(DoesNotFit):
        await wanting
    held.release()
    await manager.set_budgets({"cpu": 500})
    assert loaded(manager) == []
    assert held_bytes(manager) == 0
    await manager.close()
