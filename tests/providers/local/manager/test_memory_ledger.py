import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.local.manager.memory_ledger import (
    Demand,
    MemoryLedger,
    Plan,
    Reservation,
    Shortfall,
)
from providers.local.manager.resident_key import ResidentKey

A, B, C, D = (("a", "x"), ("b", "x"), ("c", "x"), ("d", "x"))


def hold(ledger: MemoryLedger, key: ResidentKey, **devices: int) -> None:
    named = {name.replace("cuda", "cuda:"): size for name, size in devices.items()}
    ledger.reserve(key, Reservation(named))
    ledger.commit(key, named)


def planned(ledger: MemoryLedger, size: int, *, as_if_idle: bool = False) -> Plan:
    plan = ledger.plan(Demand(size), as_if_idle=as_if_idle)
    assert isinstance(plan, Plan)
    return plan


def lacking(ledger: MemoryLedger, size: int) -> dict[str, int]:
    shortfall = ledger.plan(Demand(size))
    assert isinstance(shortfall, Shortfall)
    return dict(shortfall.missing_bytes)


def test_a_model_goes_to_the_gpu_where_it_fits_most_tightly() -> None:
    ledger = MemoryLedger({"cuda:0": 100, "cuda:1": 60, "cpu": 1000})
    assert planned(ledger, 50).reservation.devices == {"cuda:1": 50}
    assert planned(ledger, 80).reservation.devices == {"cuda:0": 80}


def test_a_model_too_big_for_one_gpu_is_split_with_workspace_on_each() -> None:
    ledger = MemoryLedger({"cuda:0": 100, "cuda:1": 60, "cpu": 1000})
    plan = ledger.plan(Demand(weights_bytes=100, kv_bytes=20, workspace_bytes=10))
    assert isinstance(plan, Plan)
    assert plan.reservation == Reservation({"cuda:0": 100, "cuda:1": 40}, kv_bytes=20)


def test_the_largest_piece_is_left_room_for_on_every_gpu_of_a_split() -> None:
    ledger = MemoryLedger({"cuda:0": 100, "cuda:1": 60})
    fits = ledger.plan(Demand(weights_bytes=140, indivisible_bytes=10))
    tight = ledger.plan(Demand(weights_bytes=141, indivisible_bytes=10))
    assert isinstance(fits, Plan)
    assert isinstance(tight, Shortfall)


def test_the_cpu_takes_what_never_fits_the_gpus_and_nothing_else() -> None:
    ledger = MemoryLedger({"cuda:0": 100, "cpu": 1000})
    assert planned(ledger, 101).reservation.devices == {"cpu": 101}
    hold(ledger, A, cuda0=90)
    ledger.enter(A)
    assert lacking(ledger, 50) == {"cuda:0": 40, "cpu": 0}
    ledger.leave(A)
    assert planned(ledger, 50) == Plan(Reservation({"cuda:0": 50}), (A,))
    ledger.pin(A)
    assert planned(ledger, 50).reservation.devices == {"cpu": 50}


def test_the_least_recently_used_leave_first_and_no_more_than_needed() -> None:
    ledger = MemoryLedger({"cpu": 100})
    for key in (A, B, C):
        hold(ledger, key, cpu=30)
    assert planned(ledger, 10).victims == ()
    assert planned(ledger, 40).victims == (A,)
    ledger.touch(A)
    assert planned(ledger, 40).victims == (B,)
    assert planned(ledger, 70).victims == (B, C)


def test_a_small_old_model_stays_where_the_next_one_makes_enough_room_alone() -> None:
    ledger = MemoryLedger({"cpu": 100})
    hold(ledger, A, cpu=10)
    hold(ledger, B, cpu=90)
    assert planned(ledger, 90).victims == (B,)


def test_the_device_whose_models_were_unused_longest_makes_room() -> None:
    ledger = MemoryLedger({"cuda:0": 100, "cuda:1": 100})
    hold(ledger, A, cuda0=90)
    hold(ledger, B, cuda1=90)
    assert planned(ledger, 90) == Plan(Reservation({"cuda:0": 90}), (A,))
    ledger.touch(A)
    assert planned(ledger, 90) == Plan(Reservation({"cuda:1": 90}), (B,))


def test_a_shortfall_says_how_much_each_device_lacks() -> None:
    ledger = MemoryLedger({"cpu": 100})
    hold(ledger, A, cpu=60)
    ledger.pin(A)
    assert lacking(ledger, 50) == {"cpu": 10}
    assert lacking(ledger, 150) == {"cpu": 110}


def test_busy_pinned_spared_and_loading_models_are_no_victims() -> None:
    ledger = MemoryLedger({"cpu": 100})
    for key in (A, B, C):
        hold(ledger, key, cpu=25)
    ledger.reserve(D, Reservation({"cpu": 25}))
    ledger.enter(A)
    ledger.pin(B)
    assert ledger.evictable() == (C,)
    assert isinstance(ledger.plan(Demand(20), spare=(C,)), Shortfall)
    assert planned(ledger, 50, as_if_idle=True).victims == (C, A)
    assert isinstance(ledger.plan(Demand(51), as_if_idle=True), Shortfall)


def test_what_is_measured_replaces_what_was_reserved() -> None:
    ledger = MemoryLedger({"cpu": 100})
    hold(ledger, A, cpu=40)
    ledger.reserve(B, Reservation({"cpu": 50}))
    assert ledger.plan_growth(B, {"cpu": 60}) == ()
    assert ledger.plan_growth(B, {"cpu": 61}) == (A,)
    assert ledger.plan_growth(B, {"cpu": 101}) == Shortfall({"cpu": 1})
    with pytest.raises(ValueError, match="budget of cpu"):
        ledger.commit(B, {"cpu": 61})
    ledger.commit(B, {"cpu": 30})
    assert ledger.devices()[0].free_bytes == 30


def test_a_lowered_budget_names_those_who_should_leave() -> None:
    ledger = MemoryLedger({"cpu": 100})
    for key in (A, B, C):
        hold(ledger, key, cpu=30)
    ledger.enter(A)
    ledger.set_budgets({"cpu": 60})
    assert ledger.overdrawn() == (B,)
    ledger.set_budgets({"cpu": 10})
    assert ledger.overdrawn() == (B, C)
    ledger.set_budgets({"cpu": 90})
    assert ledger.overdrawn() == ()


def test_reserving_more_than_there_is_or_twice_is_refused() -> None:
    ledger = MemoryLedger({"cpu": 100})
    with pytest.raises(ValueError, match="budget of cpu"):
        ledger.reserve(A, Reservation({"cpu": 101}))
    ledger.reserve(A, Reservation({"cpu": 50}))
    with pytest.raises(ValueError, match="already"):
        ledger.reserve(A, Reservation({"cpu": 1}))


BUDGETS = {"cuda:0": 100, "cuda:1": 70, "cpu": 120}


class RandomHost:
    """Loads, uses, evicts, fails and pins at random, and checks every promise at every step."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ledger = MemoryLedger(BUDGETS)
        self.keys = [(f"m{number}", "x") for number in range(8)]
        self.users: dict[ResidentKey, int] = {}
        self.pinned: set[ResidentKey] = set()
        self.loading: set[ResidentKey] = set()
        self.used: list[ResidentKey] = []
        self.num_evicted = 0

    def use(self, key: ResidentKey) -> None:
        self.used = [*(one for one in self.used if one != key), key]

    def forget(self, key: ResidentKey) -> None:
        self.ledger.release(key)
        self.pinned.discard(key)
        self.loading.discard(key)
        self.used.remove(key)

    def step(self) -> None:
        key = self.random.choice(self.keys)
        if key not in self.ledger.held():
            self.load(key)
        elif key in self.loading:
            self.end_load(key)
        else:
            self.change(key)
        self.check()

    def load(self, key: ResidentKey) -> None:
        demand = Demand(self.random.randint(1, 110), self.random.randint(0, 20), 5)
        plan = self.ledger.plan(demand)
        if isinstance(plan, Shortfall):
            assert all(size >= 0 for size in plan.missing_bytes.values())
            return
        self.evict(plan)
        self.ledger.reserve(key, plan.reservation)
        self.loading.add(key)
        self.use(key)

    def evict(self, plan: Plan) -> None:
        order = [self.used.index(victim) for victim in plan.victims]
        assert order == sorted(order)
        for victim in plan.victims:
            assert not self.users.get(victim)
            assert victim not in self.pinned | self.loading
        if plan.victims:
            self.check_that_older_ones_do_not_suffice(plan)
        for victim in plan.victims:
            self.forget(victim)
            self.num_evicted += 1

    def check_that_older_ones_do_not_suffice(self, plan: Plan) -> None:
        older = set(self.used[: self.used.index(plan.victims[-1])])
        total = plan.reservation.total_bytes
        if len(plan.reservation.devices) == 1:
            (name,) = plan.reservation.devices
            freed = sum(
                self.ledger.reservation(key).devices.get(name, 0)
                for key in older & set(self.ledger.evictable())
            )
            device = next(one for one in self.ledger.devices() if one.name == name)
            assert device.free_bytes + freed < total

    def end_load(self, key: ResidentKey) -> None:
        if self.random.random() < 0.2:
            self.forget(key)
            return
        devices = self.ledger.reservation(key).devices
        measured = {name: size + self.random.randint(-3, 3) for name, size in devices.items()}
        victims = self.ledger.plan_growth(key, measured)
        if isinstance(victims, Shortfall):
            self.forget(key)
            return
        for victim in victims:
            assert victim in self.ledger.evictable()
            self.forget(victim)
        self.ledger.commit(key, measured)
        self.loading.discard(key)
        self.use(key)

    def change(self, key: ResidentKey) -> None:
        users = self.users.get(key, 0)
        if self.random.random() < 0.3:
            self.ledger.pin(key, pinned=key not in self.pinned)
            self.pinned ^= {key}
        elif users and self.random.random() < 0.6:
            self.ledger.leave(key)
            self.users[key] = users - 1
            self.use(key)
        elif self.random.random() < 0.5:
            self.ledger.enter(key)
            self.users[key] = users + 1
            self.use(key)
        elif not users:
            self.forget(key)

    def check(self) -> None:
        for device in self.ledger.devices():
            assert 0 <= device.evictable_bytes <= device.reserved_bytes <= device.budget_bytes
        assert list(self.ledger.held()) == self.used


@pytest.mark.parametrize("seed", range(5))
def test_no_random_life_exceeds_a_budget_or_evicts_who_is_in_use(seed: int) -> None:
    host = RandomHost(seed)
    for _ in range(2000):
        host.step()
    assert host.num_evicted > 50


@given(
    st.integers(1, 400),
    st.integers(0, 50),
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.tuples(st.sampled_from(tuple(BUDGETS)), st.integers(1, 60)), max_size=5),
)
def test_a_plan_gives_what_is_asked_for_and_keeps_to_the_room(
    weights: int, kv: int, workspace: int, layer: int, others: list[tuple[str, int]]
) -> None:
    ledger = MemoryLedger(BUDGETS)
    for number, (name, size) in enumerate(others):
        if size <= next(one.free_bytes for one in ledger.devices() if one.name == name):
            key = (f"o{number}", "x")
            ledger.reserve(key, Reservation({name: size}))
            ledger.commit(key, {name: size})
    demand = Demand(weights, kv, workspace, layer)
    plan = ledger.plan(demand)
    if isinstance(plan, Shortfall):
        assert weights + kv + workspace > BUDGETS["cpu"]
        return
    assert plan.reservation.total_bytes >= demand.total_bytes
    assert plan.reservation.kv_bytes == kv
    for victim in plan.victims:
        ledger.release(victim)
    ledger.reserve(A, plan.reservation)
