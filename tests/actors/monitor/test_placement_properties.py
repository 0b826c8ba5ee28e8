"""What holds for any hosts, placements and queues."""

import random
from collections.abc import Mapping

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from actors.monitor.placement import Situation, place
from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import DeviceReport, HostReport, ModelReport
from tests.actors.monitor.hosts import STRATEGIES

NAMES = ("m1", "m2", "m3", "far")
HOST_NAMES = ("a", "b", "c")


def report(name: str) -> st.SearchStrategy[ModelReport]:
    return st.builds(
        ModelReport,
        model=st.just(name),
        provider=st.just("local"),
        source=st.just("remote" if name == "far" else "local"),
        strategies=st.just(STRATEGIES),
        default_strategy=st.just("standard"),
        size_bytes=st.sampled_from([None, *range(2, 14)]),
        available=st.booleans(),
        resident=st.booleans(),
        resident_strategy=st.just("standard"),
        pinned=st.sampled_from([*[False] * 9, True]),
        slots=st.integers(1, 3),
        num_running=st.sampled_from([0, 0, 0, 1]),
    )


def device(name: str, kind: str, total_bytes: int) -> DeviceReport:
    return DeviceReport.model_validate(
        {"name": name, "kind": kind, "total_bytes": total_bytes, "free_bytes": total_bytes}
    )


def host(name: str) -> st.SearchStrategy[HostReport]:
    return st.builds(
        HostReport,
        host=st.just(name),
        num_cpus=st.just(1),
        devices=st.tuples(
            st.builds(device, st.just("cpu"), st.just("cpu"), st.integers(0, 12)),
            st.builds(device, st.just("cuda:0"), st.just("cuda"), st.integers(4, 12)),
            st.builds(device, st.just("cuda:1"), st.just("cuda"), st.integers(0, 4)),
        ).flatmap(lambda all_: st.sampled_from([all_, all_[:1], all_[:2], all_[1:]])),
        models=st.tuples(*(report(model) for model in NAMES)).flatmap(
            lambda all_: st.sampled_from([all_, all_, all_[1:]])
        ),
    )


PLACED = st.lists(
    st.builds(
        PlacedModel,
        model=st.sampled_from(NAMES[:3]),
        strategy=st.just("standard"),
        pinned=st.sampled_from([*[False] * 5, True]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.model,
).map(tuple)


def placement(name: str) -> st.SearchStrategy[HostPlacement]:
    return st.builds(HostPlacement, host=st.just(name), models=PLACED)


SITUATIONS = st.builds(
    Situation,
    hosts=st.tuples(*(host(name) for name in HOST_NAMES)).flatmap(
        lambda all_: st.sampled_from([all_, all_[:2], all_[:2], all_[:1]])
    ),
    # Host "c" may have none.
    placements=st.fixed_dictionaries(
        {name: placement(name) for name in "ab"}, optional={"c": placement("c")}
    ),
    demand=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 12), min_size=1, max_size=2),
)
# A busy machine is no fault of what is tested.
UNHURRIED = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def after(situation: Situation) -> Mapping[str, HostPlacement]:
    """All placements once the decision is carried out."""
    return {**situation.placements, **place(situation).placements}


def report_of(host: HostReport, model: str) -> ModelReport | None:
    return next((report for report in host.models if report.model == model), None)


@UNHURRIED
@given(SITUATIONS)
def test_no_model_is_placed_on_a_host_that_could_never_hold_it(situation: Situation) -> None:
    for name, new in place(situation).placements.items():
        (host,) = (host for host in situation.hosts if host.host == name)
        before = situation.placements[name]
        for model in {one.model for one in new.models} - {one.model for one in before.models}:
            event("placed")
            report = report_of(host, model)
            assert report is not None
            gpus = sum(one.total_bytes for one in host.devices if one.kind == "cuda")
            cpu = max((one.total_bytes for one in host.devices if one.kind == "cpu"), default=0)
            assert (report.size_bytes or 0) <= max(gpus, cpu)


@UNHURRIED
@given(SITUATIONS)
def test_neither_a_pinned_nor_a_demanded_nor_a_running_model_leaves(situation: Situation) -> None:
    changed = place(situation).placements
    for name, new in changed.items():
        (host,) = (host for host in situation.hosts if host.host == name)
        kept = {one.model for one in new.models}
        for old in situation.placements[name].models:
            report = report_of(host, old.model)
            stays = old.pinned or old.model in situation.demand
            stays = stays or (report is not None and (report.pinned or report.num_running > 0))
            if stays:
                assert old.model in kept
            elif old.model not in kept:
                event("left")


@UNHURRIED
@given(SITUATIONS)
def test_deciding_again_on_the_result_changes_nothing(situation: Situation) -> None:
    again = place(Situation(situation.hosts, after(situation), situation.demand))
    assert again.placements == {}
    assert again.misfits == place(situation).misfits


@UNHURRIED
@given(SITUATIONS, st.integers())
def test_the_decision_does_not_depend_on_the_order_of_what_is_known(
    situation: Situation, seed: int
) -> None:
    chance = random.Random(seed)
    mixed = Situation(
        hosts=[
            host.model_copy(
                update={
                    "models": tuple(chance.sample(host.models, len(host.models))),
                    "devices": tuple(chance.sample(host.devices, len(host.devices))),
                }
            )
            for host in chance.sample(situation.hosts, len(situation.hosts))
        ],
        placements=dict(
            chance.sample(sorted(situation.placements.items()), len(situation.placements))
        ),
        demand=dict(chance.sample(sorted(situation.demand.items()), len(situation.demand))),
    )
    assert place(mixed) == place(situation)


@UNHURRIED
@given(SITUATIONS)
def test_what_is_asked_for_is_placed_or_refused_with_what_each_host_lacks(
    situation: Situation,
) -> None:
    decision = place(situation)
    placements = after(situation)
    for model in situation.demand:
        offers = [(host, report_of(host, model)) for host in situation.hosts]
        reports = [(host, report) for host, report in offers if report is not None]
        if not reports:
            assert model not in decision.misfits
        elif model in decision.misfits:
            event("refused")
            assert decision.misfits[model].shortfalls
            assert all(report.needs_memory for _, report in reports)
        else:
            assert any(
                not report.needs_memory
                or host.host not in placements
                or placements[host.host].find(model) is not None
                for host, report in reports
            )
