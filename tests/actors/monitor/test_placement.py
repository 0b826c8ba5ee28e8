"""Which host shall serve which model, and what stands in the way."""

from collections.abc import Mapping

from actors.monitor.placement import Decision, Situation, place
from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import DeviceReport, HostReport, ModelReport
from tests.actors.monitor.hosts import GIB, echo, model


def machine(
    name: str, *models: ModelReport, gib: float = 8, gpus_gib: tuple[float, ...] = ()
) -> HostReport:
    """A host whose models may use that much memory."""
    sizes = {"cpu": gib} | {f"cuda:{index}": size for index, size in enumerate(gpus_gib)}
    devices = tuple(
        DeviceReport.model_validate(
            {
                "name": name,
                "kind": name.partition(":")[0],
                "total_bytes": int(size * GIB),
                "free_bytes": 0,
            }
        )
        for name, size in sizes.items()
        if size
    )
    return HostReport(host=name, num_cpus=4, devices=devices, models=models)


def sized(name: str, gib: float, **fields: object) -> ModelReport:
    """A model of that size."""
    return model(name, size_bytes=int(gib * GIB), **fields)


def loaded(name: str, gib: float, **fields: object) -> ModelReport:
    """A model of that size that is resident."""
    return sized(name, gib, resident=True, resident_strategy="standard", **fields)


def placed(**models: str) -> dict[str, HostPlacement]:
    """Placements by host; a model with ``!`` is pinned there."""
    return {
        host: HostPlacement(
            host=host,
            models=tuple(
                PlacedModel(model=name.rstrip("!"), strategy="standard", pinned=name[-1] == "!")
                for name in names.split()
            ),
        )
        for host, names in models.items()
    }


def decide(
    hosts: list[HostReport], placements: dict[str, HostPlacement], **demand: int
) -> Decision:
    return place(Situation(hosts, placements, demand))


def names(placements: Mapping[str, HostPlacement]) -> dict[str, str]:
    """Host and models, as :func:`placed` takes them."""
    return {
        host: " ".join(one.model for one in placement.models)
        for host, placement in placements.items()
    }


def test_a_model_that_nobody_holds_goes_where_it_fits() -> None:
    big = sized("big", 10)
    hosts = [machine("a", big, gib=8), machine("b", big, gib=12)]
    assert names(decide(hosts, placed(a="", b=""), big=1).placements) == {"b": "big"}


def test_among_those_it_fits_the_one_it_fills_best() -> None:
    small = sized("small", 3)
    hosts = [machine("a", small, gib=8), machine("b", small, gib=4)]
    assert names(decide(hosts, placed(a="", b=""), small=1).placements) == {"b": "small"}


def test_an_accelerator_comes_before_the_cpu() -> None:
    small = sized("small", 3)
    hosts = [machine("a", small, gib=3), machine("b", small, gib=8, gpus_gib=(40,))]
    decision = decide(hosts, placed(a="", b=""), small=1)
    assert names(decision.placements) == {"b": "small"}
    assert decision.placements["b"].reason == "small fits cuda:0 with 37.0 GiB to spare"


def test_several_accelerators_share_one_that_none_of_them_holds() -> None:
    hosts = [machine("a", sized("big", 30), gib=64, gpus_gib=(20, 20))]
    decision = decide(hosts, placed(a=""), big=1)
    assert decision.placements["a"].reason == "big fits cuda:0 and cuda:1 with 10.0 GiB to spare"


def test_the_cpu_takes_only_what_would_never_fit_the_accelerators() -> None:
    models = (sized("held", 6), sized("new", 6), sized("huge", 20))
    hosts = [machine("a", *models, gib=64, gpus_gib=(8,))]
    turns = decide(hosts, placed(a="held"), new=1, held=1)
    assert turns.placements["a"].reason == "new takes turns with the others"
    huge = decide(hosts, placed(a="held"), huge=1, held=1)
    assert huge.placements["a"].reason == "huge fits cpu with 44.0 GiB to spare"


def test_a_host_that_has_it_on_disk_comes_first() -> None:
    hosts = [
        machine("a", sized("m", 3, available=False), gib=8),
        machine("b", sized("m", 3), sized("busy", 8), gib=8),
    ]
    decision = decide(hosts, placed(a="", b="busy"), m=1, busy=1)
    assert names(decision.placements) == {"b": "busy m"}
    only_there = decide(hosts[:1], placed(a=""), m=1)
    assert names(only_there.placements) == {"a": "m"}


def test_what_is_held_stays_where_it_is() -> None:
    hosts = [machine("a", sized("m", 3), gib=8), machine("b", sized("m", 3), gib=80)]
    assert decide(hosts, placed(a="m", b=""), m=3).placements == {}


def test_the_placement_of_a_dead_host_does_not_count() -> None:
    hosts = [machine("b", sized("m", 3))]
    assert names(decide(hosts, placed(a="m", b=""), m=1).placements) == {"b": "m"}


def test_idle_models_leave_for_one_that_is_asked_for_and_no_more_than_must() -> None:
    models = (sized("x", 3), sized("y", 5), sized("new", 3))
    hosts = [machine("a", *models, gib=8)]
    decision = decide(hosts, placed(a="x y"), new=1)
    assert names(decision.placements) == {"a": "x new"}
    assert decision.placements["a"].reason == "new in place of y, which nobody asks for"


def test_what_is_held_elsewhere_too_leaves_first() -> None:
    models = (sized("x", 4), sized("y", 4), sized("new", 4))
    hosts = [machine("a", *models, gib=8), machine("b", sized("y", 4), gib=8)]
    assert names(decide(hosts, placed(a="x y", b="y"), new=1).placements) == {"a": "x new"}


def test_pinned_running_and_demanded_models_never_leave() -> None:
    models = (sized("x", 2), sized("y", 2, num_running=1), sized("z", 2), sized("new", 6))
    hosts = [machine("a", *models, gib=8)]
    decision = decide(hosts, placed(a="x! y z"), new=1, z=1)
    assert names(decision.placements) == {"a": "x y z new"}
    assert decision.placements["a"].reason == "new takes turns with the others"


def test_two_that_fit_one_at_a_time_take_turns_where_less_is_asked() -> None:
    models = (sized("x", 6), sized("y", 6), sized("new", 6))
    hosts = [machine("a", *models, gib=8), machine("b", *models, gib=8)]
    decision = decide(hosts, placed(a="x", b="y"), new=1, x=5, y=2)
    assert names(decision.placements) == {"b": "y new"}


def test_one_that_fits_nowhere_is_refused_with_what_each_host_lacks() -> None:
    hosts = [
        machine("gpu-2", sized("m", 8), gib=2, gpus_gib=(6,)),
        machine("gpu-1", sized("m", 8), sized("p", 1), gib=5.8),
    ]
    decision = decide(hosts, placed(**{"gpu-1": "p!", "gpu-2": ""}), m=1)
    assert decision.placements == {}
    assert decision.misfits["m"].shortfalls == (
        "gpu-1 lacks 3.2 GiB of 8.0 GiB",
        "gpu-2 lacks 2.0 GiB of 8.0 GiB",
    )
    assert decision.misfits["m"].needed_bytes == 8 * GIB


def test_a_long_queue_brings_a_second_host_unless_something_needed_would_leave() -> None:
    m, other = loaded("m", 6), sized("other", 6)
    hosts = [machine("a", m), machine("b", m, other), machine("c", m, gib=1)]
    assert decide(hosts, placed(a="m", b="", c=""), m=3).placements == {}
    assert names(decide(hosts, placed(a="m", b="", c=""), m=4).placements) == {"b": "m"}
    assert names(decide(hosts, placed(a="m", b="other", c=""), m=4).placements) == {"b": "m"}
    assert decide(hosts, placed(a="m", b="other", c=""), m=4, other=1).placements == {}


def test_what_takes_turns_goes_where_it_need_not_as_soon_as_it_can() -> None:
    models = (loaded("other", 6), sized("m", 6))
    hosts = [machine("a", *models), machine("b", sized("m", 6))]
    assert names(decide(hosts, placed(a="other m", b=""), m=1, other=1).placements) == {"b": "m"}
    assert decide(hosts[:1], placed(a="other m"), m=1, other=1).placements == {}
    nobody_waits = decide(hosts, placed(a="other m", b=""), m=0, other=1)
    assert nobody_waits.placements == {}


def test_more_slots_bear_a_longer_queue() -> None:
    m = loaded("m", 6, slots=4)
    hosts = [machine("a", m), machine("b", m)]
    assert decide(hosts, placed(a="m", b=""), m=12).placements == {}
    assert names(decide(hosts, placed(a="m", b=""), m=13).placements) == {"b": "m"}


def test_a_long_queue_waits_for_a_load_but_not_for_turns() -> None:
    cold, other = sized("m", 6), sized("other", 6)
    hosts = [machine("a", cold, other), machine("b", cold)]
    assert decide(hosts, placed(a="m", b=""), m=50).placements == {}
    turns = [machine("a", cold, sized("other", 7)), machine("b", cold)]
    assert names(decide(turns, placed(a="other m", b=""), m=50, other=1).placements) == {"b": "m"}


def test_what_needs_no_memory_needs_no_placement() -> None:
    far = model("far", source="remote", provider="openai", resident=True)
    hosts = [machine("a", echo(), far, gib=0)]
    decision = decide(hosts, placed(a=""), echo=99, far=99, unknown=1)
    assert (decision.placements, decision.misfits) == ({}, {})


def test_a_host_that_has_no_placement_yet_pulls_for_all_it_serves() -> None:
    hosts = [machine("a", sized("m", 3)), machine("b", sized("m", 3))]
    assert decide(hosts, placed(b=""), m=50).placements == {}


def test_a_wished_strategy_is_placed_where_the_host_has_it() -> None:
    hosts = [machine("a", sized("m", 3))]
    wished = place(Situation(hosts, placed(a=""), {"m": 0}, {"m": "optimized"}))
    assert wished.placements["a"].models == (PlacedModel(model="m", strategy="optimized"),)
    wrong = place(Situation(hosts, placed(a=""), {"m": 0}, {"m": "unheard of"}))
    assert wrong.placements["a"].models == (PlacedModel(model="m", strategy="standard"),)


def test_another_host_runs_it_as_the_first_does() -> None:
    hosts = [machine("a", loaded("m", 3)), machine("b", sized("m", 3))]
    first = HostPlacement(host="a", models=(PlacedModel(model="m", strategy="streaming"),))
    decision = decide(hosts, {"a": first, **placed(b="")}, m=9)
    assert decision.placements["b"].models == (PlacedModel(model="m", strategy="streaming"),)


def test_a_model_of_unknown_size_is_placed() -> None:
    hosts = [machine("a", model("m", size_bytes=None), gib=0)]
    assert names(decide(hosts, placed(a=""), m=1).placements) == {"a": "m"}
