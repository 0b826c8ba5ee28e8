"""Why a generation waits, told from queues, machines and placements."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import HostReport, ModelReport
from contracts.prompt import Priority
from contracts.wait_reason import (
    ModelFacts,
    QueueState,
    WaitingAsk,
    explain,
    num_ahead,
)
from contracts.waiting import WaitCause

MODEL = "qwen3-4b"
NORMAL = Priority.NORMAL


def report(model: str = MODEL, **fields: Any) -> ModelReport:
    """A model as an executor reports it."""
    return ModelReport(
        model=model,
        provider="local",
        source="local",
        strategies=("standard",),
        default_strategy="standard",
        **fields,
    )


def host(name: str, *models: ModelReport) -> HostReport:
    """A machine that serves ``models``."""
    return HostReport(host=name, num_cpus=1, models=models)


def holding(name: str, *models: str) -> HostPlacement:
    """What is placed on that machine."""
    return HostPlacement(host=name, models=tuple(_placed(model) for model in models))


def _placed(model: str) -> PlacedModel:
    return PlacedModel(model=model, strategy="standard")


def facts(
    *hosts: HostReport,
    placements: tuple[HostPlacement, ...] = (),
    last_sequence: int = 100,
    **queues: QueueState,
) -> ModelFacts:
    """Facts; queues are named by their priority."""
    return ModelFacts(
        model=MODEL,
        queues={Priority(name): queue for name, queue in queues.items()},
        last_sequence=last_sequence,
        hosts=hosts,
        placements=placements,
    )


def ask(sequence: int | None = 50, priority: Priority = NORMAL) -> WaitingAsk:
    """A generation that waits for 3 s."""
    return WaitingAsk(priority, 3.0, sequence)


NO_PLACE = (holding("gpu-1", "other"), holding("gpu-2", "other"))


@pytest.mark.parametrize(
    ("hosts", "message", "named", "estimate_s"),
    [
        ((), "no executor is present", None, None),
        (
            (host("gpu-1", report("other")),),
            "no executor holds qwen3-4b or knows it; present: gpu-1",
            None,
            None,
        ),
        (
            (host("gpu-1", report(available=False)),),
            "no executor holds qwen3-4b; it is not available on gpu-1",
            None,
            None,
        ),
        (
            (host("gpu-1", report("other")), host("gpu-2", report())),
            "no executor holds qwen3-4b; gpu-2 could",
            "gpu-2",
            None,
        ),
        (
            (
                host("gpu-1", report(), report("other", num_running=1)),
                host("gpu-2", report(), report("other", num_running=2, slots=2, generation_s=20)),
            ),
            "no executor holds qwen3-4b; gpu-2 could, busy until about 20 s from now",
            "gpu-2",
            20.0,
        ),
        (
            (host("gpu-1", report(), report("other", num_running=1)),),
            "no executor holds qwen3-4b; gpu-1 could, but is busy",
            "gpu-1",
            None,
        ),
    ],
)
def test_without_a_host_it_is_told_who_could_and_when(
    hosts: tuple[HostReport, ...], message: str, named: str | None, estimate_s: float | None
) -> None:
    found = explain(
        ask(), facts(*hosts, placements=NO_PLACE, normal=QueueState(num_pending=3)), (10, 50, 60)
    )
    assert found is not None
    assert (found.cause, found.message) == (WaitCause.NO_HOST, message)
    assert (found.host, found.estimate_s, found.position) == (named, estimate_s, 1)
    assert (found.model, found.waited_s) == (MODEL, 3.0)


def test_those_in_slots_are_not_ahead_but_those_taken_besides_are() -> None:
    serving = host("gpu-1", report(slots=2, generation_s=4.0))
    found = explain(
        ask(60),
        facts(
            serving,
            interactive=QueueState(num_pending=1, num_taken=2, delivered=30),
            normal=QueueState(num_pending=2, num_taken=1, delivered=40),
            batch=QueueState(num_pending=9),
        ),
        (20, 50, 60),
    )
    assert found is not None
    # One interactive, one before it in its queue, and of three taken the one without a slot.
    assert (found.cause, found.position) == (WaitCause.QUEUED, 3)
    assert found.message == "3 ahead in the queue for qwen3-4b"
    assert found.estimate_s == 8.0


def test_the_next_one_is_told_so() -> None:
    found = explain(ask(), facts(host("gpu-1", report()), normal=QueueState(num_pending=1)), (50,))
    assert found is not None
    assert (found.position, found.message) == (0, "next in the queue for qwen3-4b")


def test_a_load_is_told_with_its_progress_unless_another_host_has_the_model() -> None:
    loading = host("gpu-1", report(loading=0.409))
    queue = QueueState(num_pending=1)
    found = explain(ask(), facts(loading, normal=queue))
    assert found is not None
    assert (found.cause, found.progress, found.host) == (WaitCause.LOADING, 0.409, "gpu-1")
    assert found.message == "loading qwen3-4b on gpu-1, 40 %"
    ready = host("gpu-2", report(resident=True))
    found = explain(ask(), facts(loading, ready, normal=queue))
    assert found is not None
    assert found.cause is WaitCause.QUEUED


@pytest.mark.parametrize(
    ("sequence", "queue"),
    [
        (50, QueueState(num_pending=3, delivered=50)),
        (50, QueueState(num_pending=0, delivered=20)),
        (None, QueueState(num_pending=3, num_taken=1)),
        (None, QueueState()),
    ],
)
def test_what_an_executor_has_or_may_have_is_left_to_it(
    sequence: int | None, queue: QueueState
) -> None:
    assert explain(ask(sequence), facts(host("gpu-1", report()), normal=queue)) is None


def test_what_an_executor_took_before_it_vanished_waits_for_a_host() -> None:
    found = explain(ask(), facts(normal=QueueState(num_taken=1, delivered=50)))
    assert found is not None
    assert found.message == "no executor is present"


def test_an_executor_that_pulls_is_there_even_if_nobody_hears_of_it() -> None:
    pulled = QueueState(num_pending=1, num_pulling=1)
    found = explain(ask(), facts(normal=pulled))
    assert found is not None
    assert found.cause is WaitCause.QUEUED


def test_a_model_that_needs_no_memory_is_held_wherever_it_is_served() -> None:
    remote = report().model_copy(update={"source": "remote"})
    queue = QueueState(num_pending=1)
    found = explain(
        ask(), facts(host("gpu-1", remote), placements=(holding("gpu-1"),), normal=queue)
    )
    assert found is not None
    assert found.cause is WaitCause.QUEUED


def test_a_run_whose_model_is_not_chosen_waits_for_a_host_only_if_there_is_none() -> None:
    undecided = WaitingAsk(NORMAL, 3.0, is_placed=False)
    found = explain(undecided, ModelFacts(model=""))
    assert found is not None
    assert (found.cause, found.position) == (WaitCause.NO_HOST, None)
    assert explain(undecided, ModelFacts(model="", hosts=(host("gpu-1"),))) is None


_numbers = st.integers(0, 200)
_queues = st.builds(QueueState, _numbers, _numbers, _numbers, st.integers(0, 2))
_reports = st.builds(
    report,
    slots=st.integers(1, 8),
    num_running=st.integers(0, 8),
    num_waiting=st.integers(0, 50),
    generation_s=st.none() | st.floats(0, 1000),
    loading=st.none() | st.floats(0, 1),
    resident=st.booleans(),
    available=st.booleans(),
)
_hosts = st.lists(st.builds(host, st.sampled_from("abc"), _reports), max_size=3)
_placements = st.lists(
    st.builds(holding, st.sampled_from("abc"), st.just(MODEL))
    | st.builds(holding, st.sampled_from("abc")),
    max_size=3,
)
_facts = st.builds(
    lambda queues, last, hosts, placements: ModelFacts(
        MODEL, queues, last, tuple(hosts), tuple(placements)
    ),
    st.dictionaries(st.sampled_from(Priority), _queues),
    _numbers,
    _hosts,
    _placements,
)
_known = st.lists(_numbers, unique=True).map(sorted)
_asks = st.builds(
    WaitingAsk, st.sampled_from(Priority), st.floats(0, 1e6), st.none() | _numbers, st.booleans()
)


@given(_asks, _facts, _known)
def test_any_facts_give_a_note_that_is_possible(
    asked: WaitingAsk, found: ModelFacts, known: list[int]
) -> None:
    note = explain(asked, found, known)
    if note is not None and note.position is not None:
        everything = sum(queue.num_pending + queue.num_taken for queue in found.queues.values())
        assert 0 <= note.position <= everything
        assert note.message


@given(_facts, _known, _numbers, _numbers)
def test_who_came_earlier_is_never_behind(
    found: ModelFacts, known: list[int], one: int, other: int
) -> None:
    early, late = sorted((one, other))
    assert num_ahead(ask(early), found, known) <= num_ahead(ask(late), found, known)


@given(_facts, st.lists(st.integers(1, 200), unique=True, min_size=1).map(sorted), st.data())
def test_where_the_whole_queue_is_known_the_place_is_exact(
    found: ModelFacts, lying: list[int], data: st.DataObject
) -> None:
    alone = ModelFacts(MODEL, {NORMAL: QueueState(num_pending=len(lying))}, found.last_sequence)
    chosen = data.draw(st.sampled_from(lying))
    assert num_ahead(ask(chosen), alone, lying) == lying.index(chosen)


def test_where_others_lie_unknown_they_are_taken_to_lie_evenly() -> None:
    queue = QueueState(num_pending=10, delivered=0)
    found = facts(normal=queue, last_sequence=101)
    assert num_ahead(ask(1), found, (1,)) == 0
    assert num_ahead(ask(51), found, (51,)) == 4
    assert num_ahead(ask(101), found, (101,)) == 9
    assert num_ahead(ask(None), found) == 9
