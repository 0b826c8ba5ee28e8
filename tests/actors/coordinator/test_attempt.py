"""What the next attempt asks of a model."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.coordinator.attempt import (
    MAX_RECALLED_TURNS,
    RETRY_TEMPERATURE,
    best_attempt,
    plan_attempt,
)
from actors.coordinator.plan import plan_decision, plan_summary
from actors.coordinator.run_state import RunState
from contracts.event import AnswerGenerated, HistoryRecalled, OutputValidated
from contracts.generation import DEFAULT_MAX_TOKENS
from contracts.prompt import MAX_NEW_TOKENS, ChatMessage, Priority
from tests.actors.coordinator.states import (
    RUN_ID,
    accepted,
    answer,
    attempts,
    decided,
    failure,
    refused,
    state,
    states,
)


def chat(*turns: tuple[str, str]) -> list[ChatMessage]:
    """Turns by role and text."""
    return [ChatMessage.model_validate({"role": role, "content": text}) for role, text in turns]


def recalled(*turns: tuple[str, str]) -> HistoryRecalled:
    """What the history recalled."""
    return HistoryRecalled(run_id=RUN_ID, turns=tuple(chat(*turns)))


def test_the_first_attempt_follows_the_wishes_and_the_decision() -> None:
    wishes: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "stop": ["."]}
    found = state(**wishes, seed=4, resources=decided("m0"), priority=Priority.BATCH)
    task = plan_attempt(RUN_ID, found)
    assert (task.model, task.strategy, task.priority) == ("m0", "optimized", Priority.BATCH)
    assert (task.temperature, task.top_p, task.max_tokens) == (0.5, 0.9, 7)
    assert (task.seed, task.stop, task.attempt) == (4, (".",), 1)
    assert task.conversation() == tuple(chat(("user", "Capital of France?")))


@given(states(), st.booleans())
def test_no_attempt_forgets_that_the_text_must_stay(found: RunState, local_only: bool) -> None:
    found["submitted"] = found["submitted"].model_copy(update={"local_only": local_only})
    found["resources"] = decided("m0", "m1")
    assert plan_attempt(RUN_ID, found).local_only is local_only
    assert plan_decision(RUN_ID, found).local_only is local_only
    assert plan_summary(RUN_ID, (), found).local_only is local_only


def test_what_is_not_wished_is_left_to_the_model() -> None:
    task = plan_attempt(RUN_ID, state(resources=decided()))
    assert (task.temperature, task.top_p, task.max_tokens, task.seed) == (None, None, None, None)


def test_without_a_decision_no_model_is_guessed() -> None:
    with pytest.raises(ValueError, match="no model was decided"):
        plan_attempt(RUN_ID, state())


def test_the_validators_changes_are_asked_for() -> None:
    change: dict[str, Any] = {
        "temperature": 0.7,
        "repetition_penalty": 1.15,
        "instruction": "Be brief.",
    }
    tried = attempts((answer(), refused(**change)))
    task = plan_attempt(RUN_ID, state(**tried, temperature=0.0, resources=decided()))
    assert (task.attempt, task.temperature, task.repetition_penalty) == (2, 0.7, 1.15)
    assert task.conversation()[-1].content == "Capital of France?\nBe brief."
    assert task.model == "m0"


def test_a_refusal_without_a_change_is_tried_with_more_chance() -> None:
    tried = attempts((answer(), refused()))
    task = plan_attempt(RUN_ID, state(**tried, resources=decided()))
    assert task.temperature == RETRY_TEMPERATURE


@pytest.mark.parametrize(
    ("wished", "cut_after", "asked"),
    [
        (None, 0, 2 * DEFAULT_MAX_TOKENS),
        (100, 0, 200),
        (None, 512, 1024),
        (100, 100, 200),
        (100, 200, 400),
        (MAX_NEW_TOKENS, MAX_NEW_TOKENS, MAX_NEW_TOKENS),
    ],
)
def test_a_longer_answer_is_asked_for_than_the_one_that_was_cut(
    wished: int | None, cut_after: int, asked: int
) -> None:
    tried = attempts((answer(cut_after=cut_after), refused(max_tokens_factor=2.0)))
    task = plan_attempt(RUN_ID, state(**tried, max_tokens=wished, resources=decided()))
    assert task.max_tokens == asked


def test_each_attempt_has_a_seed_of_its_own_that_follows_from_the_wished_one() -> None:
    largest = 2**32 - 1
    tried = attempts((answer(), refused()), (answer(), refused()))
    assert plan_attempt(RUN_ID, state(seed=largest, resources=decided())).seed == largest
    assert plan_attempt(RUN_ID, state(**tried, seed=largest, resources=decided())).seed == 1


def test_after_failures_the_fallbacks_are_tried_in_their_order() -> None:
    found = state(resources=decided("m0", "m1", "m2"))
    asked = []
    for _ in range(5):
        asked.append(plan_attempt(RUN_ID, found).model)
        found["generations"].append(failure())
        found["validations"].append(failure())
    assert asked == ["m0", "m1", "m2", "m0", "m0"]


def test_no_fallback_is_passed_over_when_answers_are_refused() -> None:
    found = state(resources=decided("m0", "m1", "m2", "m3"))
    asked = []
    for _ in range(4):
        model = plan_attempt(RUN_ID, found).model
        asked.append(model)
        found["generations"].append(answer(model))
        found["validations"].append(refused(another_model=True))
    assert asked == ["m0", "m1", "m2", "m3"]


def test_another_models_strategy_is_its_own() -> None:
    tried = attempts((failure(), None))
    found = state(**tried, resources=decided("m0", "m1"))
    assert plan_attempt(RUN_ID, found).strategy is None
    assert plan_attempt(RUN_ID, state(**tried, resources=decided("m0"))).strategy == "optimized"
    wished = state(**tried, strategy="streaming", resources=decided("m0", "m1"))
    assert plan_attempt(RUN_ID, wished).strategy == "streaming"


def test_recalled_turns_stand_between_the_system_and_what_is_asked() -> None:
    asked = chat(("system", "S"), ("user", "u1"), ("assistant", "a1"))
    found = state(
        prompt="now",
        messages=asked,
        resources=decided(),
        history=recalled(("user", "r1"), ("assistant", "r2")),
    )
    task = plan_attempt(RUN_ID, found)
    texts = [turn.content for turn in task.conversation()]
    assert texts == ["S", "r1", "r2", "u1", "a1", "now"]
    assert task.num_recalled == 2


def test_of_a_long_history_the_newest_turns_are_kept() -> None:
    told = recalled(*(("user", f"{number}") for number in range(MAX_RECALLED_TURNS + 6)))
    asked = chat(*(("user", "?") for _ in range(256)))
    task = plan_attempt(RUN_ID, state(messages=asked, resources=decided(), history=told))
    assert task.num_recalled == MAX_RECALLED_TURNS
    assert task.conversation()[0].content == "6"


@given(states())
def test_an_attempt_can_be_planned_in_every_state(found: RunState) -> None:
    task = plan_attempt(RUN_ID, found)
    assert task.attempt == len(found["generations"]) + 1
    assert found["submitted"].text in task.conversation()[-1].content
    assert task == plan_attempt(RUN_ID, found)


@given(states())
def test_a_model_that_the_prompt_names_is_never_replaced(found: RunState) -> None:
    if found["submitted"].model is not None:
        assert plan_attempt(RUN_ID, found).model == found["submitted"].model


@given(states(), st.integers(1, 400))
def test_the_first_turns_not_of_the_system_are_the_recalled_ones(
    found: RunState, number: int
) -> None:
    found["history"] = recalled(*(("user", f"r{index}") for index in range(number)))
    task = plan_attempt(RUN_ID, found)
    said = [turn.content for turn in task.conversation() if turn.role != "system"]
    kept = [turn.content for turn in found["history"].turns][-MAX_RECALLED_TURNS:]
    assert said[: task.num_recalled] == kept


@given(states())
def test_the_best_attempt_has_the_highest_score(found: RunState) -> None:
    best = best_attempt(found)
    answers = [g for g in found["generations"] if isinstance(g, AnswerGenerated)]
    if best is None:
        assert not answers
        return
    scores = [v.score for v in found["validations"] if isinstance(v, OutputValidated)]
    assert (best[1].score if best[1] else 0) == max(scores, default=0)


def test_of_equally_good_answers_the_latest_counts() -> None:
    tried = attempts((answer(output="a"), accepted(50)), (answer(output="b"), accepted(50)))
    best = best_attempt(state(**tried))
    assert best is not None
    assert best[0].result.output == "b"
