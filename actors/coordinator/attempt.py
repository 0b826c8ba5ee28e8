"""What the next attempt asks of a model; pure.

The first attempt follows the prompt's wishes and the monitor's decision. Later ones follow what
the validator wants changed, or go to another model after a failure.
"""

from typing import Any

from actors.coordinator.run_state import RunState
from contracts.event import AnswerGenerated, Change, OutputValidated, StepFailed
from contracts.generation import DEFAULT_MAX_TOKENS
from contracts.prompt import MAX_NEW_TOKENS, ChatMessage
from contracts.task import GenerateAnswer

# A first answer that failed validation was often greedy; a repeat of it would be the same.
RETRY_TEMPERATURE = 0.3
# A task has room for so many turns, whole pairs of them, besides those of the prompt itself.
MAX_RECALLED_TURNS = 62


def plan_attempt(run_id: str, state: RunState) -> GenerateAnswer:
    """The generation that attempt number ``len(generations) + 1`` asks for."""
    submitted = state["submitted"]
    number = len(state.get("generations", [])) + 1
    change = wanted_change(state) if number > 1 else None
    fields: dict[str, Any] = {
        "max_tokens": submitted.max_tokens,
        "temperature": submitted.temperature,
        "top_p": submitted.top_p,
    }
    if change is not None:
        fields |= _changed(change, fields, state)
    if submitted.seed is not None:
        fields["seed"] = (submitted.seed + number - 1) % 2**32
    return GenerateAnswer(
        run_id=run_id,
        attempt=number,
        priority=state["priority"],
        local_only=submitted.local_only,
        model=choose_model(state, change),
        strategy=_strategy(state, change),
        messages=_conversation(state, change),
        stop=submitted.stop,
        response_format=submitted.response_format,
        num_recalled=len(_recalled(state)),
        **fields,
    )


def wanted_change(state: RunState) -> Change:
    """What the latest attempt's judgement asks to do differently."""
    latest = state["validations"][-1] if state.get("validations") else None
    if isinstance(state["generations"][-1], StepFailed):
        return Change(another_model=True)
    if isinstance(latest, OutputValidated) and latest.change is not None:
        return latest.change
    return Change(temperature=RETRY_TEMPERATURE)


def choose_model(state: RunState, change: Change | None) -> str:
    """The model of the next attempt; one the prompt names is never replaced."""
    submitted, resources = state["submitted"], state.get("resources")
    chosen = submitted.model or (resources.model if resources else None)
    if chosen is None:
        raise ValueError("no model was decided before the first attempt")
    if submitted.model or change is None or not change.another_model or resources is None:
        return chosen
    tried = _models_tried(state)
    return next((model for model in resources.fallbacks if model not in tried), chosen)


def best_attempt(state: RunState) -> tuple[AnswerGenerated, OutputValidated | None] | None:
    """The answer with the highest score, the latest of equals; None where every attempt failed."""
    found: list[tuple[int, int, AnswerGenerated, OutputValidated | None]] = []
    for number, generated in enumerate(state["generations"]):
        if isinstance(generated, StepFailed):
            continue
        judged = state["validations"][number]
        score = judged.score if isinstance(judged, OutputValidated) else 0
        kept = judged if isinstance(judged, OutputValidated) else None
        found.append((score, number, generated, kept))
    if not found:
        return None
    _, _, generated, judged_best = max(found, key=lambda item: item[:2])
    return generated, judged_best


def _models_tried(state: RunState) -> set[str]:
    """The model each attempt so far went to; a failure does not name its own, so it is replayed."""
    tried: set[str] = set()
    for number, generated in enumerate(state["generations"]):
        if isinstance(generated, AnswerGenerated):
            tried.add(generated.result.model)
            continue
        before = state.copy()
        before["generations"] = state["generations"][:number]
        before["validations"] = state["validations"][:number]
        tried.add(choose_model(before, wanted_change(before) if number else None))
    return tried


def _changed(change: Change, fields: dict[str, Any], state: RunState) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    if change.max_tokens_factor is not None:
        limit = _limit_that_cut(state) or fields["max_tokens"] or DEFAULT_MAX_TOKENS
        longer = int(limit * change.max_tokens_factor)
        changed["max_tokens"] = max(1, min(longer, MAX_NEW_TOKENS))
    if change.temperature is not None:
        changed["temperature"] = change.temperature
    if change.repetition_penalty is not None:
        changed["repetition_penalty"] = change.repetition_penalty
    return changed


def _limit_that_cut(state: RunState) -> int | None:
    """The limit that ended the latest answer: the model's own, or an earlier change's."""
    latest = state["generations"][-1]
    if isinstance(latest, StepFailed) or latest.result.finish_reason != "length":
        return None
    return latest.result.usage.completion_tokens or None


def _recalled(state: RunState) -> tuple[ChatMessage, ...]:
    return state["history"].turns[-MAX_RECALLED_TURNS:] if "history" in state else ()


def _strategy(state: RunState, change: Change | None) -> str | None:
    submitted, resources = state["submitted"], state.get("resources")
    if submitted.strategy:
        return submitted.strategy
    if resources is None or choose_model(state, change) != resources.model:
        return None
    return resources.strategy


def _conversation(state: RunState, change: Change | None) -> tuple[ChatMessage, ...]:
    asked = state["submitted"].conversation()
    leading = [turn for turn in asked if turn.role == "system"]
    following = [turn for turn in asked if turn.role != "system"]
    if change is not None and change.instruction:
        last = following[-1]
        extended = f"{last.content}\n{change.instruction}"
        following[-1] = last.model_copy(update={"content": extended})
    return (*leading, *_recalled(state), *following)
