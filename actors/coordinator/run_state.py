"""What the graph knows of a run: only events, each from the journal."""

import operator
from typing import Annotated, TypedDict

from contracts.event import (
    AnswerGenerated,
    HistoryRecalled,
    OutputValidated,
    PromptAnalyzed,
    ResourcesDecided,
    StepFailed,
)
from contracts.prompt import Priority, SubmitPrompt

Generation = AnswerGenerated | StepFailed
Validation = OutputValidated | StepFailed


class RunState(TypedDict, total=False):
    """The graph's state; nodes add to it and never change what is there.

    ``generations`` and ``validations`` hold one event per attempt, in order; a generation that
    failed is validated by nobody, so its place in ``validations`` holds the same failure.
    """

    submitted: SubmitPrompt
    priority: Priority
    served: frozenset[str]
    max_attempts: int
    analysis: PromptAnalyzed
    history: HistoryRecalled
    resources: ResourcesDecided
    generations: Annotated[list[Generation], operator.add]
    validations: Annotated[list[Validation], operator.add]


def added(state: RunState, found: RunState) -> RunState:
    """``state`` with the attempts of ``found`` after its own, as the graph will have it."""
    return {
        **state,
        "generations": [*state["generations"], *found.get("generations", ())],
        "validations": [*state["validations"], *found.get("validations", ())],
    }
