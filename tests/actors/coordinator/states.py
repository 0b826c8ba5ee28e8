"""States of the graph, made by hand and by hypothesis, from events as actors write them."""

from typing import Any

from hypothesis import strategies as st

from actors.coordinator.run_state import Generation, RunState, Validation
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput, PromptbusError, ProviderFailed
from contracts.event import (
    AnswerGenerated,
    Change,
    HistoryRecalled,
    OutputValidated,
    PromptAnalyzed,
    ResourcesDecided,
    StepFailed,
)
from contracts.generation import GenerationResult, Usage
from contracts.prompt import ChatMessage, Priority, SubmitPrompt, TaskType
from contracts.run_id import derive_run_id
from tests.contracts.samples import samples

RUN_ID = derive_run_id(1_700_000_000_000, "states")
RETRYABLE = ProviderFailed(provider="local", reason="out of memory")
PERMANENT = InvalidInput(field="prompt", reason="is too long")


def state(**fields: Any) -> RunState:
    """The state before the first attempt; ``prompt`` and wishes go to the prompt."""
    wishes = {name: fields.pop(name) for name in tuple(fields) if name in SubmitPrompt.model_fields}
    submitted = SubmitPrompt.model_validate({"prompt": "Capital of France?", **wishes})
    made: RunState = {
        "submitted": submitted,
        "priority": Priority.NORMAL,
        "served": frozenset(),
        "max_attempts": submitted.max_attempts or 3,
        "analysis": PromptAnalyzed(run_id=RUN_ID, task_type=TaskType.QUESTION, language="en"),
        "generations": [],
        "validations": [],
    }
    made.update(fields)  # type: ignore[typeddict-item] # a test names only fields of the state
    return made


def decided(model: str = "m0", *fallbacks: str, strategy: str = "optimized") -> ResourcesDecided:
    """What the monitor decided."""
    return ResourcesDecided(
        run_id=RUN_ID, model=model, strategy=strategy, reason="it fits", fallbacks=fallbacks
    )


def answer(model: str = "m0", output: str = "Paris.", *, cut_after: int = 0) -> AnswerGenerated:
    """An answer of ``model``; ``cut_after`` tokens where its limit ended it."""
    return AnswerGenerated(
        run_id=RUN_ID,
        result=GenerationResult(
            output=output,
            model=model,
            strategy="standard",
            provider="local",
            source="local",
            finish_reason="length" if cut_after else "stop",
            usage=Usage(completion_tokens=cut_after, total_tokens=5 + cut_after),
        ),
    )


def failure(error: PromptbusError = RETRYABLE, attempt: int = 1) -> StepFailed:
    """An attempt that gave nothing."""
    return StepFailed(
        run_id=RUN_ID, attempt=attempt, actor=ActorKind.EXECUTOR, error=error.to_wire()
    )


def accepted(score: int = 90) -> OutputValidated:
    """An answer worth giving."""
    return OutputValidated(run_id=RUN_ID, score=score, verdict="accept")


def refused(score: int = 20, **change: Any) -> OutputValidated:
    """An answer to be tried again, with that change."""
    wanted = Change(**change) if change else None
    return OutputValidated(run_id=RUN_ID, score=score, verdict="retry", change=wanted)


def attempts(*pairs: tuple[Generation, Validation | None]) -> dict[str, list[Any]]:
    """Both lists of the state; a failure stands in both, as the graph puts it."""
    return {
        "generations": [generated for generated, _ in pairs],
        "validations": [judged or generated for generated, judged in pairs],
    }


models = st.sampled_from(("m0", "m1", "m2", "m3"))
changes = st.builds(
    Change,
    max_tokens_factor=st.none() | st.floats(0.01, 1000),
    temperature=st.none() | st.floats(0, 2),
    repetition_penalty=st.none() | st.floats(0.5, 2),
    instruction=st.none() | st.just("Be brief."),
    another_model=st.booleans(),
)
_failures = st.sampled_from((RETRYABLE, PERMANENT)).map(failure)
_validations = st.builds(
    OutputValidated,
    run_id=st.just(RUN_ID),
    score=st.integers(0, 100),
    verdict=st.sampled_from(("accept", "retry")),
    change=st.none() | changes,
)
_answers = st.builds(answer, models, st.text(max_size=9), cut_after=st.integers(0, 40_000))
pairs = st.tuples(_answers, _validations | _failures) | st.tuples(_failures, st.none())
turns = st.lists(
    st.builds(ChatMessage, role=st.sampled_from(("user", "assistant")), content=st.text()),
    max_size=400,
)


@st.composite
def states(draw: st.DrawFn, *, min_attempts: int = 0) -> RunState:
    """Any state a run may be in before another attempt, or its outcome."""
    tried = draw(st.lists(pairs, min_size=min_attempts, max_size=9))
    made = state(max_attempts=draw(st.integers(1, 10)), **attempts(*tried))
    made["submitted"] = draw(samples(SubmitPrompt))
    fallbacks = draw(st.lists(models, max_size=4, unique=True))
    if made["submitted"].model is None or draw(st.booleans()):
        made["resources"] = decided(draw(models), *fallbacks)
    if draw(st.booleans()):
        made["history"] = HistoryRecalled(run_id=RUN_ID, turns=tuple(draw(turns)))
    return made
