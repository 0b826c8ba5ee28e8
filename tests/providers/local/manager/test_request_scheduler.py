"""The scheduler's rules one by one, and in simulated time against a real ledger."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.prompt import Priority
from providers.local.manager.memory_ledger import Demand, MemoryLedger, Plan
from providers.local.manager.request_scheduler import (
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
    ],
)
def test_no_model_leaves_while_it_is_busy_wanted_or_just_loaded(
    held: Served, others: tuple[Waiting, ...]
) -> None:
    now = situation(waiting(1, B), *others, served=(held,))
    assert next_action(now, instead_of(A)) is None


def test_a_model_with_nothing_to_do_leaves() -> None:
    now = situation(waiting(1, B), served=(Served(A, 1, load_s=0.4),))
    assert next_action(now, instead_of(A)) == Load(B, (A,))


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
        )

    def end_what_is_due(self) -> None:
        for end in [end for end in self.ends if end[0] <= self.now_s]:
            self.ends.remove(end)
            key = self.arrivals[end[1]].key
            self.ledger.leave(key)
            self.change(key, num_running=self.served[key].num_running - 1)
        if self.loading is not None and self.loading[0] <= self.now_s:
            key = self.loading[1]
            self.ledger.commit(key, {"cpu": 100})
            self.served[key] = Served(key, self.slots, 0, self.now_s, self.load_s)
            self.loading = None

    def change(self, key: ResidentKey, **fields: int) -> None:
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
