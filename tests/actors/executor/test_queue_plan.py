"""Which queues an executor serves, and what it loads and unloads."""

from typing import Any

from actors.executor.queue_plan import (
    fits_free_memory,
    merge_preloads,
    plan_queues,
    to_unload,
)
from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import DeviceReport, HostReport, ModelReport
from contracts.prompt import Priority


def model(name: str, **fields: Any) -> ModelReport:
    """A local model that must be loaded."""
    known: dict[str, Any] = {
        "provider": "local",
        "source": "local",
        "strategies": ("standard", "streaming"),
        "default_strategy": "standard",
        "size_bytes": 100,
    }
    return ModelReport(model=name, **known | fields)


ECHO = model("echo", provider="echo", resident=True, size_bytes=0)
FAR = model("far", provider="openai", source="remote", resident=True, size_bytes=None)


def placement(*models: str) -> HostPlacement:
    """``models`` on this host."""
    return HostPlacement(
        host="h", models=tuple(PlacedModel(model=one, strategy="standard") for one in models)
    )


def test_what_is_placed_and_what_needs_no_memory_is_served() -> None:
    plan = plan_queues([model("m"), model("other"), ECHO, FAR], placement("m"), 64)
    assert {name for name, _ in plan} == {"m", "echo", "far"}
    assert {priority for name, priority in plan if name == "m"} == set(Priority)
    assert plan["echo", Priority.BATCH] == plan["far", Priority.NORMAL] == 64


def test_a_loaded_model_takes_a_little_more_than_its_slots() -> None:
    plan = plan_queues([model("m", slots=4)], placement("m"), 64)
    assert plan["m", Priority.BATCH] == 8
    assert plan["m", Priority.NORMAL] == 8
    assert plan["m", Priority.INTERACTIVE] == 16
    assert set(plan_queues([model("m", slots=4)], placement("m"), 5).values()) == {5}


def test_it_begins_with_what_is_placed_and_what_it_preloads() -> None:
    served = [model("a"), model("b"), model("c", strategies=("standard",)), ECHO]
    begun = merge_preloads(placement("a", "gone"), "h", served, ["b", "c", "a", "echo", "?"])
    assert begun.models == (
        PlacedModel(model="a", strategy="standard"),
        PlacedModel(model="b", strategy="streaming"),
        PlacedModel(model="c", strategy="standard"),
    )
    assert merge_preloads(None, "h", served, []) == HostPlacement(
        host="h", reason="what it begins with"
    )


def test_what_was_taken_away_is_unloaded_unless_it_is_pinned() -> None:
    loaded: dict[str, Any] = {"resident": True, "resident_strategy": "standard"}
    models = [
        model("fallback", **loaded),
        model("left", **loaded),
        model("pinned", pinned=True, **loaded),
        model("cold"),
        ECHO,
        FAR,
    ]
    assert to_unload(models, {"left", "pinned", "cold", "echo", "far"}) == ("left",)


def test_it_loads_ahead_only_into_memory_that_is_free() -> None:
    device = DeviceReport(name="cpu", kind="cpu", total_bytes=900, free_bytes=150)
    host = HostReport(
        host="h",
        num_cpus=1,
        devices=(device,),
        models=(model("fits"), model("big", size_bytes=151), model("?", size_bytes=None)),
    )
    assert [fits_free_memory(host, one) for one in ("fits", "big", "?")] == [True, False, True]
