"""The scheduler's rules one by one, and in simulated time against a real ledger."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.prompt import Priority
from providers.local.manager.memory_ledger import Demand, MemoryLedger, Plan
from providers.local.manager.request_scheduler import (
    LEAD_LOADS,
    MAX_PASSED,
    Admit,
    Load,
    Served,
    Situation,
    Waiting,
    next_action,
    num_kept,
    passes_overdue,
)
from providers.local.manager.resident_key import ResidentKey

A, B, C = (("a", "x"), ("b", "x"), ("c", "x"))
INTERACTIVE, NORMAL, BATCH = Priority


def waiting(
    number: int, key: ResidentKey = A, priority: Priority = NORMAL, since_s: float = 0.0
) -> Waiting:
    return Waiting(number, key, priority, since_s)


def situation(
    *requests: Waiting, served: tuple[Served, ...] = (), now_s: float = 1.0, **fields: object
) -> Situation:
    found = Situation(now_s, requests, {one.key: one for one in served})
    return replace(found, **fields)  # type: ignore[arg-type]


def beside(_key: ResidentKey, _spare: Collection[ResidentKey]) -> tuple[ResidentKey, ...]:
    return ()


def instead_of(*victims: ResidentKey) -> "Room":
    return Room(victims)


@dataclass
class Room:
    """Everything fits once the victims have left."""

    victims: tuple[ResidentKey, ...]

    def __call__(
        self, _key: ResidentKey, spare: Collection[ResidentKey]
    ) -> tuple[ResidentKey, ...] | None:
        return None if set(self.victims) & set(spare) else self.victims


def test_a_request_for_a_resident_model_goes_before_an_older_one_for_another() -> None:
    now = situation(waiting(1, B), waiting(2, A, since_s=0.5), served=(Served(A, 1),))
    assert next_action(now, beside) == Admit(2)


@pytest.mark.parametrize(
    ("priorities", "first"),
    [((BATCH, NORMAL, INTERACTIVE), 3), ((BATCH, NORMAL, NORMAL), 2), ((BATCH, BATCH), 1)],
)
def test_the_most_urgent_goes_first_and_among_equals_the_oldest(
    priorities: tuple[Priority, ...], first: int
) -> None:
    requests = [
        waiting(number, A, priority, since_s=number / 10)
        for number, priority in enumerate(priorities, start=1)
    ]
    assert next_action(situation(*requests, served=(Served(A, 1),)), beside) == Admit(first)


def test_a_model_that_fits_beside_the_others_is_loaded_at_once() -> None:
    busy = Served(A, slots=1, num_running=1)
    now = situation(waiting(1, A), waiting(2, B), served=(busy,))
    assert next_action(now, beside) == Load(B)


def test_no_second_load_begins_while_one_is_under_way() -> None:
    assert next_action(situation(waiting(1, B), is_loading=True), beside) is None
    assert next_action(situation(waiting(1, B), absent=(B,)), beside) is None


@pytest.mark.parametrize(
    ("held", "others"),
    [
        (Served(A, 2, num_running=1), ()),
        (Served(A, 1, num_running=1), (waiting(2, A, BATCH),)),
        (Served(A, 1, loaded_at_s=0.0, load_s=0.8), ()),
        (Served(A, 1, loaded_at_s=-90.0, used_at_s=0.0, load_s=0.8), ()),
    ],
)
def test_no_model_leaves_while_it_is_busy_wanted_just_loaded_or_was_used_lately(
    held: Served, others: tuple[Waiting, ...]
) -> None:
    now = situation(waiting(1, B), *others, served=(held,))
    assert next_action(now, instead_of(A)) is None


@pytest.mark.parametrize(("load_s", "held_s"), [(0.1, 2.0), (0.8, 3.75), (9.0, 3.75)])
def test_a_model_that_nobody_uses_leaves_the_later_the_longer_its_load_took(
    load_s: float, held_s: float
) -> None:
    quiet = Served(A, 1, loaded_at_s=-90.0, used_at_s=10.0, load_s=load_s)
    now = situation(waiting(1, B, since_s=10.0), served=(quiet,), now_s=10.0)
    assert next_action(replace(now, now_s=9.9 + held_s), instead_of(A)) is None
    assert next_action(replace(now, now_s=10.1 + held_s), instead_of(A)) == Load(B, (A,))


@pytest.mark.parametrize(
    ("loads_s", "due_s"),
    [({}, 30.0), ({B: 2.0}, 26.0), ({A: 1.0, C: 3.0}, 24.0), ({B: 100.0}, 15.0)],
)
def test_a_request_is_overdue_early_enough_for_its_model_to_be_loaded(
    loads_s: dict[ResidentKey, float], due_s: float
) -> None:
    used = Served(A, 1, used_at_s=due_s, load_s=9.0)
    now = situation(waiting(1, B), served=(used,), loads_s=loads_s)
    assert next_action(replace(now, now_s=due_s - 0.1), instead_of(A)) is None
    assert next_action(replace(now, now_s=due_s), instead_of(A)) == Load(B, (A,))


def test_for_an_overdue_request_nothing_new_begins_on_the_model_that_must_leave() -> None:
    busy = Served(A, slots=2, num_running=1)
    requests = waiting(1, B, since_s=0.0), waiting(2, A, since_s=25.0)
    now = situation(*requests, served=(busy,), now_s=30.0)
    assert next_action(replace(now, now_s=29.9), instead_of(A)) == Admit(2)
    assert next_action(now, instead_of(A)) is None
    idle = replace(now, served={A: replace(busy, num_running=0)})
    assert next_action(idle, instead_of(A)) == Load(B, (A,))


def test_models_that_stay_go_on_while_another_drains() -> None:
    served = (Served(A, 2, num_running=1), Served(C, 2, num_running=1))
    requests = waiting(1, B), waiting(2, A, since_s=25.0), waiting(3, C, since_s=25.0)
    now = situation(*requests, served=served, now_s=30.0)
    assert next_action(now, instead_of(A)) == Admit(3)


def test_where_all_are_overdue_a_model_keeps_its_turn() -> None:
    held = Served(A, 1, num_running=1, loaded_at_s=90.0)
    now = situation(waiting(1, B), waiting(2, A), served=(held,), now_s=100.0)
    assert next_action(now, instead_of(A)) is None
    free = replace(now, served={A: replace(held, num_running=0)})
    assert next_action(free, instead_of(A)) == Admit(2)
    assert next_action(replace(free, now_s=106.0), instead_of(A)) == Load(B, (A,))


def test_an_interactive_request_need_not_wait_until_a_queue_of_batches_is_done() -> None:
    held = Served(A, 1, num_running=0, loaded_at_s=0.0)
    batches = [waiting(number, A, BATCH) for number in range(1, 1000)]
    now = situation(*batches, waiting(1000, B, INTERACTIVE, 15.0), served=(held,), now_s=16.0)
    assert next_action(now, instead_of(A)) == Load(B, (A,))


@given(st.integers(1, 16), st.floats(0.0, 100.0), st.integers(0, 16))
def test_with_a_thousand_batches_queued_an_interactive_one_is_admitted_next(
    slots: int, now_s: float, num_running: int
) -> None:
    batches = [waiting(number, A, BATCH) for number in range(1000)]
    urgent = waiting(1000, A, INTERACTIVE, now_s)
    held = Served(A, slots, num_running)
    action = next_action(situation(*batches, urgent, served=(held,), now_s=now_s), beside)
    assert action == (Admit(1000) if num_running < slots else None)


@pytest.mark.parametrize(("slots", "kept"), [(1, 0), (2, 0), (3, 1), (8, 1), (16, 2)])
def test_some_slots_are_kept_for_interactive_requests(slots: int, kept: int) -> None:
    assert num_kept(slots) == kept
    for priority in (NORMAL, BATCH):
        assert Served(A, slots, slots - kept - 1).has_slot(priority)
        assert not Served(A, slots, slots - kept).has_slot(priority)
    assert Served(A, slots, slots - 1).has_slot(INTERACTIVE)


def test_an_overdue_request_is_passed_a_few_times_and_then_goes() -> None:
    batch, urgent = waiting(1, A, BATCH), waiting(2, A, INTERACTIVE, 40.0)
    now = situation(batch, urgent, served=(Served(A, 1),), now_s=41.0)
    assert passes_overdue(now, urgent)
    assert not passes_overdue(replace(now, now_s=20.0), urgent)
    assert not passes_overdue(now, batch)
    assert next_action(now, beside) == Admit(2)
    passed = replace(now, served={A: Served(A, 1, num_passed=MAX_PASSED)})
    assert next_action(passed, beside) == Admit(1)


@dataclass
class Arrival:
    at_s: float
    key: ResidentKey
    priority: Priority = NORMAL
    takes_s: float = 0.1


@dataclass
class Simulation:
    """A host in simulated time: one model per 100 bytes, ``slots`` generations each."""

    budget: int
    arrivals: list[Arrival]
    slots: int = 1
    load_s: float = 1.0
    max_wait_s: float = 30.0
    now_s: float = 0.0
    served: dict[ResidentKey, Served] = field(default_factory=dict)
    queue: dict[int, Waiting] = field(default_factory=dict)
    ends: list[tuple[float, int]] = field(default_factory=list)
    loading: tuple[float, ResidentKey] | None = None
    waits: dict[int, float] = field(default_factory=dict)
    loads_s: dict[ResidentKey, float] = field(default_factory=dict)
    num_swaps: int = 0

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger({"cpu": self.budget})
        self.arrivals.sort(key=lambda arrival: arrival.at_s)

    def find_room(
        self, _key: ResidentKey, spare: Collection[ResidentKey]
    ) -> tuple[ResidentKey, ...] | None:
        plan = self.ledger.plan(Demand(100), spare=spare, as_if_idle=True)
        return plan.victims if isinstance(plan, Plan) else None

    def run(self) -> None:
        """Until everything was served; time goes in steps of a tenth of a second."""
        coming = list(enumerate(self.arrivals))
        while coming or self.queue or self.ends:
            while coming and coming[0][1].at_s <= self.now_s:
                number, arrival = coming.pop(0)
                self.queue[number] = Waiting(number, arrival.key, arrival.priority, self.now_s)
            self.end_what_is_due()
            while (action := next_action(self.look(), self.find_room)) is not None:
                self.do(action)
            self.now_s += 0.1
            assert self.now_s < 10_000

    def look(self) -> Situation:
        absent = (self.loading[1],) if self.loading else ()
        return Situation(
            self.now_s,
            tuple(self.queue.values()),
            self.served,
            absent,
            self.loading is not None,
            self.max_wait_s,
            self.loads_s,
        )

    def end_what_is_due(self) -> None:
        for end in [end for end in self.ends if end[0] <= self.now_s]:
            self.ends.remove(end)
            key = self.arrivals[end[1]].key
            self.ledger.leave(key)
            num_running = self.served[key].num_running - 1
            self.change(key, num_running=num_running, used_at_s=self.now_s)
        if self.loading is not None and self.loading[0] <= self.now_s:
            key = self.loading[1]
            self.ledger.commit(key, {"cpu": 100})
            self.served[key] = Served(key, self.slots, loaded_at_s=self.now_s, load_s=self.load_s)
            self.loads_s[key] = self.load_s
            self.loading = None

    def change(self, key: ResidentKey, **fields: float) -> None:
        self.served[key] = replace(self.served[key], **fields)  # type: ignore[arg-type]

    def do(self, action: Admit | Load) -> None:
        if isinstance(action, Admit):
            self.admit(action.id)
            return
        for victim in action.victims:
            assert self.served.pop(victim).num_running == 0
            self.ledger.release(victim)
            self.num_swaps += 1
        plan = self.ledger.plan(Demand(100))
        assert isinstance(plan, Plan)
        assert not plan.victims
        self.ledger.reserve(action.key, plan.reservation)
        self.loading = (self.now_s + self.load_s, action.key)

    def admit(self, number: int) -> None:
        look, request = self.look(), self.queue[number]
        served = self.served[request.key]
        num_passed = served.num_passed + 1 if passes_overdue(look, request) else 0
        del self.queue[number]
        self.change(request.key, num_running=served.num_running + 1, num_passed=num_passed)
        self.ledger.enter(request.key)
        self.waits[number] = self.now_s - request.since_s
        self.ends.append((self.now_s + self.arrivals[number].takes_s, number))

    def longest_wait_s(self) -> float:
        return max(self.waits.values())


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
