"""Which model is chosen, and why."""

from typing import Any

import pytest

from actors.monitor.choice import choose
from contracts.errors import InvalidInput, NoExecutor, UnknownModel, UnknownStrategy
from contracts.event import ResourcesDecided
from contracts.prompt import TaskType
from contracts.run_id import new_run_id
from contracts.task import DecideResources
from tests.actors.monitor.hosts import GIB, echo, host, model, pocket


def task(**fields: Any) -> DecideResources:
    return DecideResources(run_id=new_run_id(), **fields)


def decide(*hosts: Any, default_model: str = "pocket", **fields: Any) -> ResourcesDecided:
    return choose(task(**fields), hosts, default_model)


def test_out_of_the_box_pocket_answers() -> None:
    missing = model("qwen3-0.6b", available=False, rank=30, good_at=("chat", "code"))
    for task_type in TaskType:
        for difficulty in ("low", "medium", "high"):
            decided = decide(
                host(pocket(), echo(), missing), task_type=task_type, difficulty=difficulty
            )
            assert (decided.model, decided.strategy, decided.host) == (
                "pocket",
                "standard",
                "host-a",
            )
            assert decided.fallbacks == ()


def test_the_reason_is_a_sentence_with_figures() -> None:
    decided = decide(host(pocket(resident=True), free_gib=18.2), difficulty="low")
    assert decided.reason == "pocket is resident on host-a and good at chat; 18.2 GiB free"


def test_a_load_is_explained_with_what_it_takes() -> None:
    able = model("able", rank=30, size_bytes=10 * GIB)
    decided = decide(host(pocket(resident=True), able, gpu_free_gib=20), difficulty="high")
    assert decided.reason == (
        "able needs 10.0 GiB and fits cuda:0 of host-a and good at chat; rank 30 against 1 of the "
        "resident pocket is worth the load for a task of high difficulty; 20.0 GiB free"
    )


def test_a_named_model_is_kept_to_whatever_else_there_is() -> None:
    hosts = [
        host(pocket(resident=True), model("huge", size_bytes=900 * GIB, available=False)),
        host(echo(), name="host-b"),
    ]
    huge = decide(*hosts, model="huge", num_tokens=10**6)
    assert (huge.model, huge.fallbacks) == ("huge", ())
    assert huge.reason.startswith("huge was asked for; needs 900.0 GiB on host-a")
    repeating = decide(*hosts, model="echo")
    assert (repeating.model, repeating.host) == ("echo", "host-b")


def test_a_named_model_runs_where_it_is_resident() -> None:
    hosts = [
        host(model("m"), name="a"),
        host(model("m", resident=True, resident_strategy="optimized"), name="b", free_gib=0),
        host(model("m", available=False), name="c", free_gib=500),
    ]
    decided = decide(*hosts, model="m")
    assert (decided.host, decided.strategy) == ("b", "optimized")
    reloaded = decide(*hosts, model="m", strategy="standard")
    assert (reloaded.host, reloaded.strategy) == ("b", "standard")


def test_a_model_that_nobody_serves_is_unknown_and_the_known_ones_are_named() -> None:
    with pytest.raises(UnknownModel) as caught:
        decide(host(pocket(), echo()), model="gpt-9")
    assert caught.value.known == ("echo", "pocket")
    assert not caught.value.retryable


def test_without_a_host_another_try_may_succeed() -> None:
    for hosts in ([], [host()]):
        with pytest.raises(NoExecutor) as caught:
            decide(*hosts, model="pocket")
        assert caught.value.retryable


def test_a_strategy_that_the_model_lacks_is_unknown_and_its_own_are_named() -> None:
    with pytest.raises(UnknownStrategy) as caught:
        decide(host(pocket(), model("fast", strategies=("vllm",))), model="pocket", strategy="vllm")
    assert caught.value.known == tuple(sorted(("standard", "optimized", "streaming")))
    with pytest.raises(UnknownStrategy) as caught:
        decide(host(pocket(strategies=("standard",)), echo()), strategy="streaming")
    assert caught.value.known == ("standard",)


def test_a_wished_strategy_chooses_among_the_models_that_have_it() -> None:
    fast = model("fast", strategies=("optimized",), default_strategy="optimized", rank=9)
    decided = decide(
        host(pocket(resident=True, strategies=("standard",)), fast), strategy="optimized"
    )
    assert (decided.model, decided.strategy, decided.fallbacks) == ("fast", "optimized", ())


def test_echo_is_never_chosen_by_itself() -> None:
    with pytest.raises(NoExecutor, match="besides echo"):
        decide(host(echo()))


def test_memory_decides() -> None:
    able = model("able", rank=60, size_bytes=10 * GIB)
    assert decide(host(pocket(), able, free_gib=10)).model == "able"
    assert decide(host(pocket(), able, free_gib=9.9)).model == "pocket"
    assert decide(host(pocket(), able, free_gib=1, gpu_free_gib=10)).model == "able"


def test_memory_that_idle_models_hold_counts_too() -> None:
    able = model("able", rank=60, size_bytes=10 * GIB)
    assert decide(host(pocket(), able, free_gib=6, evictable_gib=3.9)).model == "pocket"
    assert decide(host(pocket(), able, free_gib=6, evictable_gib=4)).model == "able"


def test_a_prompt_that_must_stay_is_kept_from_remote_models() -> None:
    far = model("far", source="remote", provider="openai", resident=True, rank=90)
    assert decide(host(pocket(), far)).model == "far"
    assert decide(host(pocket(), far), local_only=True).model == "pocket"
    with pytest.raises(InvalidInput, match="far is served remotely, and the prompt is local_only"):
        decide(host(pocket(), far), model="far", local_only=True)
    with pytest.raises(NoExecutor, match="every model available here is remote"):
        decide(host(far, echo()), local_only=True)


def test_a_resident_model_needs_no_more_memory() -> None:
    able = model("able", rank=60, size_bytes=10 * GIB, resident=True)
    assert decide(host(pocket(), able, free_gib=0)).model == "able"


def test_when_nothing_fits_it_says_what_is_missing() -> None:
    hosts = [host(model("a", size_bytes=10 * GIB), model("b", size_bytes=5 * GIB), free_gib=2)]
    with pytest.raises(NoExecutor) as caught:
        decide(*hosts)
    assert str(caught.value) == (
        "no model fits: the smallest, b, needs 5.0 GiB, and at most 2.0 GiB are free"
    )


def test_a_model_of_unknown_size_is_only_tried_when_it_is_the_default() -> None:
    unknown = model("unknown", size_bytes=None, rank=90)
    with pytest.raises(NoExecutor):
        decide(host(unknown))
    assert decide(host(unknown), default_model="unknown").model == "unknown"


def test_a_remote_model_takes_no_memory_here() -> None:
    remote = model(
        "remote", source="remote", provider="openai", size_bytes=None, resident=True, rank=70
    )
    decided = decide(host(pocket(resident=True), remote, free_gib=0))
    assert decided.model == "remote"
    assert decided.reason == "remote is served remotely through host-a and good at chat"


def test_a_prompt_goes_to_a_model_that_can_read_it() -> None:
    short = model("short", context_tokens=512, resident=True, rank=9)
    long = model("long", context_tokens=32768)
    assert decide(host(short, long), num_tokens=511).model == "short"
    assert decide(host(short, long), num_tokens=512).model == "long"
    with pytest.raises(InvalidInput) as caught:
        decide(host(short, long), num_tokens=40_000)
    assert (caught.value.field, caught.value.limit, caught.value.retryable) == (
        "prompt",
        32768,
        False,
    )


def test_a_resident_model_is_not_left_for_a_slightly_better_one() -> None:
    hosts = [host(model("here", rank=30, resident=True), model("there", rank=39))]
    for difficulty in ("low", "medium", "high"):
        assert decide(*hosts, difficulty=difficulty).model == "here"


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        (40, {"low": "here", "medium": "here", "high": "there"}),
        (50, {"low": "here", "medium": "there", "high": "there"}),
        (70, {"low": "there", "medium": "there", "high": "there"}),
    ],
)
def test_the_harder_the_task_the_sooner_a_load_is_worth_it(
    rank: int, expected: dict[str, str]
) -> None:
    hosts = [host(model("here", rank=30, resident=True), model("there", rank=rank))]
    found = {difficulty: decide(*hosts, difficulty=difficulty).model for difficulty in expected}
    assert found == expected


def test_who_is_good_at_the_task_comes_first() -> None:
    coder = model("coder", good_at=("code",), rank=5)
    hosts = [host(pocket(resident=True), model("able", rank=60, resident=True), coder)]
    decided = decide(*hosts, task_type=TaskType.CODE)
    assert decided.model == "coder"
    assert decided.fallbacks == ("able", "pocket")
    assert "good at code" in decided.reason


def test_the_default_model_counts_as_ready() -> None:
    hosts = [host(pocket(resident=True), model("ours", rank=20), model("other", rank=25))]
    assert decide(*hosts, default_model="ours", difficulty="low").model == "ours"


def test_the_host_with_more_room_and_less_load_is_named() -> None:
    busy = host(pocket(resident=True), name="a").model_copy(update={"cpu_percent": 90.0})
    calm = host(pocket(resident=True), name="b", free_gib=1)
    roomy = host(pocket(resident=True), name="c", free_gib=2)
    assert decide(busy, calm, roomy).host == "c"
