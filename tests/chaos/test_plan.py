"""The faults of a plan: decided by its seed, every action on every part, and never two at once."""

from collections import defaultdict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from promptbus.chaos.plan import LEASE_S, Action, ChaosPlan, Fault, Part

ACTORS = {"coordinator-1", "coordinator-2", "executor-1", "executor-2", "team-1", "team-2", "api-1"}

plans = st.builds(
    ChaosPlan,
    num_runs=st.integers(1, 500),
    num_faults=st.integers(0, 200),
    seed=st.integers(0, 1_000_000),
    num_nodes=st.sampled_from([1, 3]),
)


@given(plans)
def test_the_same_seed_has_the_same_faults_within_the_time_of_the_load(plan: ChaosPlan) -> None:
    faults = plan.faults()
    assert faults == plan.faults()
    assert len(faults) == plan.num_faults
    assert all(0 < fault.at_s < plan.duration_s for fault in faults)
    assert list(faults) == sorted(faults, key=lambda fault: fault.at_s)


@given(plans)
def test_who_is_frozen_sleeps_for_longer_than_any_lease(plan: ChaosPlan) -> None:
    for fault in plan.faults():
        assert (fault.lasts_s > LEASE_S) == (fault.action is Action.FREEZE)


@given(plans)
def test_two_servers_are_never_away_at_once(plan: ChaosPlan) -> None:
    by_target: dict[str, list[Fault]] = defaultdict(list)
    for fault in plan.faults():
        by_target["nats" if fault.part is Part.NATS else fault.target].append(fault)
    servers = by_target["nats"]
    for before, after in pairwise(servers):
        assert after.at_s >= before.free_again_s


def test_every_action_happens_to_every_part() -> None:
    for seed in range(20):
        faults = ChaosPlan(700, 70, seed).faults()
        assert len({(fault.part, fault.action) for fault in faults}) == 15
        assert {fault.target for fault in faults if fault.part is not Part.NATS} == ACTORS


def test_another_seed_has_other_faults() -> None:
    assert ChaosPlan(300, 35, 1).faults() != ChaosPlan(300, 35, 2).faults()
