"""Subjects: whatever name comes from outside, a subject neither splits nor widens."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput
from contracts.prompt import Priority
from contracts.run_id import derive_run_id

RUN_ID = derive_run_id(1_700_000_000_000, "subjects")
HOSTILE = (
    "a/b",
    "a.b",
    "*",
    ">",
    "a b",
    "a\tb\r\nPUB x 0",
    "=2E",
    "=",
    "$JS.API",
    "пример",
    "模型",
    "🦙",
    "\x00",
    "\u202e",
    "../../etc/passwd",
    "%2e",
)
names = st.text(min_size=1, max_size=40) | st.sampled_from(HOSTILE)
# Text that looks like a subject of ours far more often than chance would have it.
parts = st.sampled_from(
    (
        *("runs", "stored", "prompts", "tasks", "tokens", "executor", "analyzer", RUN_ID),
        *("started", "cancel", "outcome", "normal", "batch", "1", "2", "01", "0", "-1", "+1"),
        *(
            "*",
            ">",
            "",
            "٣",
            "²",
            RUN_ID.upper(),
            f"{RUN_ID}\n",
            "a=2Eb",
            "a=2eb",
            "=41",
            "9" * 5000,
        ),
    )
) | st.text(max_size=5)
any_subject = st.lists(parts, max_size=5).map(".".join)


@given(names)
def test_a_token_is_decoded_to_the_name_it_was_made_of(name: str) -> None:
    assert subjects.decode_token(subjects.encode_token(name)) == name


@given(names)
def test_a_token_holds_nothing_that_nats_reads(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", subjects.encode_token(name))


@given(names, names)
def test_two_names_never_share_a_token(one: str, other: str) -> None:
    assert (one == other) == (subjects.encode_token(one) == subjects.encode_token(other))


@pytest.mark.parametrize("name", ["", "\ud800", "a\udfffb", "x" * 601, "é" * 101])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        subjects.encode_token(name)


@given(st.text(max_size=12) | parts)
def test_a_token_is_decoded_only_if_it_is_the_one_encoding_of_its_name(token: str) -> None:
    try:
        name = subjects.decode_token(token)
    except InvalidInput:
        return
    assert subjects.encode_token(name) == token


@given(names, st.sampled_from(Priority))
def test_a_queue_of_an_executor_is_parsed_as_it_was_built(model: str, priority: Priority) -> None:
    subject = subjects.executor_tasks(model, priority)
    assert subjects.parse_executor_tasks(subject) == (model, priority)
    assert len(subject.split(".")) == 4


@given(names, names, st.sampled_from(Priority), st.sampled_from(Priority))
def test_two_models_or_priorities_never_share_a_queue(
    one: str, other: str, first: Priority, second: Priority
) -> None:
    same = subjects.executor_consumer(one, first) == subjects.executor_consumer(other, second)
    assert same == ((one, first) == (other, second))


@given(names | st.text(min_size=50, max_size=200, alphabet="/ü"))
def test_a_consumer_has_a_name_that_the_server_takes(model: str) -> None:
    try:
        name = subjects.executor_consumer(model, Priority.INTERACTIVE)
    except InvalidInput:
        return
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", name)
    assert len(name) <= 255


@given(st.sampled_from(ActorKind), st.integers(1, 10**6))
def test_the_event_of_a_step_is_parsed_as_it_was_built(node: ActorKind, attempt: int) -> None:
    subject = subjects.step_event(RUN_ID, node, attempt)
    found = subjects.parse_run(subject)
    assert (found.run_id, found.node, found.attempt) == (RUN_ID, node, attempt)
    assert found.step == f"{node}/{attempt}"
    assert subjects.parse_run(subjects.stored(subject)) == found


@pytest.mark.parametrize("name", [subjects.STARTED, subjects.CANCEL, subjects.OUTCOME])
def test_an_event_of_the_run_is_parsed_as_it_was_built(name: str) -> None:
    found = subjects.parse_run(subjects.run_event(RUN_ID, name))
    assert (found.run_id, found.node, found.step) == (RUN_ID, name, name)


@given(any_subject)
def test_what_is_parsed_as_an_event_is_the_subject_that_would_be_built(subject: str) -> None:
    try:
        found = subjects.parse_run(subject)
    except InvalidInput:
        return
    built = (
        subjects.step_event(found.run_id, ActorKind(found.node), found.attempt)
        if found.attempt
        else subjects.run_event(found.run_id, found.node)
    )
    assert subject in {built, subjects.stored(built)}


@given(any_subject)
def test_what_is_parsed_as_a_queue_is_the_subject_that_would_be_built(subject: str) -> None:
    try:
        priority = subjects.parse_prompts(subject)
    except InvalidInput:
        return
    named = subject.count(".") > 1
    run_id = subject.rpartition(".")[2] if named else None
    assert subjects.prompts(priority, run_id) == subject


@given(any_subject)
def test_what_is_parsed_as_a_model_is_the_subject_that_would_be_built(subject: str) -> None:
    try:
        model, priority = subjects.parse_executor_tasks(subject)
    except InvalidInput:
        return
    assert subjects.executor_tasks(model, priority) == subject


@given(any_subject)
def test_what_is_parsed_as_tokens_is_the_subject_that_would_be_built(subject: str) -> None:
    try:
        run_id, attempt = subjects.parse_tokens(subject)
    except InvalidInput:
        return
    assert subjects.tokens(run_id, attempt) == subject


@pytest.mark.parametrize("attempt", [0, -1, 10**9])
def test_no_subject_is_built_for_an_attempt_that_cannot_be(attempt: int) -> None:
    with pytest.raises(InvalidInput):
        subjects.step_event(RUN_ID, ActorKind.EXECUTOR, attempt)
    with pytest.raises(InvalidInput):
        subjects.tokens(RUN_ID, attempt)


@pytest.mark.parametrize(
    "build",
    [
        subjects.run_journal,
        subjects.tokens_of_run,
        lambda run_id: subjects.run_event(run_id, subjects.CANCEL),
        lambda run_id: subjects.step_event(run_id, ActorKind.MONITOR, 1),
        lambda run_id: subjects.tokens(run_id, 1),
        subjects.spans,
    ],
)
@pytest.mark.parametrize(
    "run_id", ["*", ">", "", "a.b", RUN_ID.upper(), RUN_ID[:-1], f"{RUN_ID}\n", f"{RUN_ID}.>"]
)
def test_a_subject_is_built_for_no_foreign_run_id(build: Any, run_id: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        build(run_id)
    assert caught.value.field == "run_id"
