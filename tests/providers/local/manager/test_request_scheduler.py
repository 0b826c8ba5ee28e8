"""The scheduler's rules one by one."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.prompt import Priority
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
