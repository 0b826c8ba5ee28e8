"""How often models swap and how long anybody waits, in simulated time."""

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.prompt import Priority
from providers.local.manager.request_scheduler import LEAD_LOADS
from providers.local.manager.resident_key import ResidentKey
from tests.providers.local.manager.simulation import A, Arrival, B, C, Simulation

INTERACTIVE, NORMAL, BATCH = Priority


@pytest.mark.parametrize("slots", [1, 8])
@pytest.mark.parametrize(
    ("every_s", "load_s"),
    [(0.0, 0.2), (0.0, 3.0), (0.05, 0.2), (0.05, 1.0), (0.1, 1.0), (0.1, 3.0)],
)
def test_two_models_with_room_for_one_take_two_hundred_requests_in_few_swaps(
    slots: int, every_s: float, load_s: float
) -> None:
    arrivals = [Arrival(number * every_s, (A, B)[number % 2], takes_s=0.1) for number in range(200)]
    simulation = Simulation(100, arrivals, slots=slots, load_s=load_s)
    simulation.run()
    assert simulation.num_swaps <= 10
    assert simulation.longest_wait_s() <= 30.0 + 0.2


def fewest_swaps(arrivals: list[Arrival], max_wait_s: float) -> int:
    """So many swaps any host needs that has room for one of two models and lets nobody wait longer.

    In a time in which a request for each comes and must be served, the model must change; such
    times are counted that do not overlap.
    """
    begins_s, found = 0.0, 0
    while True:
        firsts = [
            min(
                (one.at_s for one in arrivals if one.key == key and one.at_s >= begins_s),
                default=None,
            )
            for key in (A, B)
        ]
        if None in firsts:
            return found
        begins_s = max(first for first in firsts if first is not None) + max_wait_s
        found += 1


@pytest.mark.parametrize("every_s", [0.2, 0.5, 1.0, 1.4])
def test_two_models_that_are_asked_for_now_and_then_swap_as_seldom_as_can_be(
    every_s: float,
) -> None:
    arrivals = [Arrival(number * every_s, (A, B)[number % 2]) for number in range(200)]
    simulation = Simulation(100, arrivals)
    simulation.run()
    assert simulation.longest_wait_s() <= 30.0
    assert simulation.num_swaps <= 10
    assert simulation.num_swaps <= fewest_swaps(arrivals, 30.0) + 1


def trickle(key: ResidentKey, max_gap_s: float) -> "st.SearchStrategy[list[Arrival]]":
    """Requests for one model, some of them far between."""
    gaps = st.lists(st.floats(0.1, max_gap_s), min_size=10, max_size=100)
    return gaps.map(lambda found: [Arrival(at_s, key) for at_s in accumulate(found)])


@settings(max_examples=60, deadline=None)
@given(trickle(A, 3.5), trickle(B, 3.5), st.sampled_from([0.2, 1.0, 3.0]), st.integers(1, 4))
def test_a_light_trickle_swaps_once_in_a_patience_and_nobody_waits_longer(
    ours: list[Arrival], others: list[Arrival], load_s: float, slots: int
) -> None:
    simulation = Simulation(100, ours + others, load_s=load_s, slots=slots)
    simulation.run()
    assert simulation.longest_wait_s() <= 30.0
    # While both are asked for; the one that is left when the other's requests have ended comes
    # into its own once more.
    span_s = min(ours[-1].at_s, others[-1].at_s)
    assert simulation.num_swaps <= span_s / (30.0 - LEAD_LOADS * load_s) + 2


def test_three_overloaded_models_take_turns_instead_of_swapping_for_each_request() -> None:
    arrivals = [Arrival(0.0, (A, B, C)[number % 3], takes_s=1.0) for number in range(300)]
    simulation = Simulation(100, arrivals, load_s=2.0)
    simulation.run()
    assert simulation.num_swaps <= 300 / 15 + 2


def test_a_lone_request_is_served_though_another_model_never_rests() -> None:
    crowd = [Arrival(number * 0.5, A, takes_s=1.0) for number in range(400)]
    lone = Arrival(10.0, B, BATCH)
    simulation = Simulation(100, [*crowd, lone], slots=2)
    simulation.run()
    number = simulation.arrivals.index(lone)
    # What runs is finished, then the model is loaded.
    assert simulation.waits[number] <= 30.0 + 1.0 + simulation.load_s + 0.3
    assert simulation.num_swaps == 2


def test_an_interactive_request_for_another_model_waits_for_a_turn_and_not_for_the_queue() -> None:
    batches = [Arrival(0.0, A, BATCH, takes_s=1.0) for _ in range(300)]
    urgent = [Arrival(20.0 + number * 50, B, INTERACTIVE) for number in range(4)]
    simulation = Simulation(100, [*batches, *urgent])
    simulation.run()
    waits = [simulation.waits[simulation.arrivals.index(arrival)] for arrival in urgent]
    assert max(waits) <= 15.0 + 1.0 + simulation.load_s + 0.3


arrivals_of_any_kind = st.lists(
    st.builds(
        Arrival,
        at_s=st.floats(0.0, 60.0),
        key=st.sampled_from([A, B, C]),
        priority=st.sampled_from(list(Priority)),
        takes_s=st.floats(0.1, 4.0),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(arrivals_of_any_kind, st.sampled_from([100, 200]), st.integers(1, 4))
def test_nobody_starves_whatever_arrives(arrivals: list[Arrival], budget: int, slots: int) -> None:
    simulation = Simulation(budget, arrivals, slots=slots, max_wait_s=5.0)
    simulation.run()
    assert len(simulation.waits) == len(arrivals)
    work_s = sum(arrival.takes_s for arrival in arrivals) / slots
    num_models = len(Counter(arrival.key for arrival in arrivals))
    # Its own patience, all the work there is, and the turns that others take meanwhile.
    turn_s = simulation.load_s + 2.5 + 4.0
    limit_s = 5.0 + work_s + num_models * turn_s
    assert simulation.longest_wait_s() <= limit_s
