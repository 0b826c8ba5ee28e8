"""Where a run goes next."""

import pytest
from hypothesis import given

from actors.coordinator.routes import (
    attempts_are_spent,
    route_after_analysis,
    route_after_execution,
    route_after_validation,
)
from actors.coordinator.run_state import RunState
from contracts.event import StepFailed
from tests.actors.coordinator.states import (
    PERMANENT,
    accepted,
    answer,
    attempts,
    failure,
    refused,
    state,
    states,
)


@pytest.mark.parametrize(
    ("model", "strategy", "served", "goes_to"),
    [
        ("m0", "standard", {"m0", "m1"}, "executor"),
        ("m0", "standard", {"m1"}, "monitor"),
        ("m0", "standard", set(), "monitor"),
        ("m0", None, {"m0"}, "monitor"),
        (None, "standard", {"m0"}, "monitor"),
        (None, None, {"m0"}, "monitor"),
    ],
)
def test_the_monitor_is_passed_by_only_where_nothing_is_left_to_decide(
    model: str | None, strategy: str | None, served: set[str], goes_to: str
) -> None:
    found = state(model=model, strategy=strategy, served=frozenset(served))
    assert route_after_analysis(found) == goes_to


def test_an_answer_goes_to_the_validator() -> None:
    assert route_after_execution(state(generations=[answer()])) == "validator"


def test_a_retryable_failure_is_tried_again_while_attempts_are_left() -> None:
    tried = attempts((failure(), None), (failure(), None))
    assert route_after_execution(state(**tried, max_attempts=3)) == "executor"
    assert route_after_execution(state(**tried, max_attempts=2)) == "outcome"


def test_a_permanent_failure_is_not_tried_again() -> None:
    assert route_after_execution(state(generations=[failure(PERMANENT)])) == "outcome"


def test_a_refused_answer_is_tried_again_while_attempts_are_left() -> None:
    tried = attempts((answer(), refused()))
    assert route_after_validation(state(**tried, max_attempts=2)) == "executor"
    assert route_after_validation(state(**tried, max_attempts=1)) == "outcome"


def test_an_accepted_answer_is_the_outcome() -> None:
    assert route_after_validation(state(**attempts((answer(), accepted())))) == "outcome"


def test_an_answer_that_nobody_could_judge_is_the_outcome() -> None:
    assert route_after_validation(state(**attempts((answer(), failure())))) == "outcome"


@given(states(min_attempts=1))
def test_every_run_ends_after_its_attempts(found: RunState) -> None:
    if attempts_are_spent(found):
        assert route_after_execution(found) != "executor"
        assert route_after_validation(found) == "outcome"


@given(states(min_attempts=1))
def test_only_answers_are_judged(found: RunState) -> None:
    failed = isinstance(found["generations"][-1], StepFailed)
    assert (route_after_execution(found) == "validator") == (not failed)
