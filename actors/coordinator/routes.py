"""Where a run goes next; pure functions of what its journal says."""

from typing import Literal

from actors.coordinator.run_state import RunState
from contracts.event import OutputValidated, StepFailed


def route_after_analysis(state: RunState) -> Literal["monitor", "executor"]:
    """Past the monitor where nothing is left to decide: the prompt names model and strategy."""
    wanted = state["submitted"]
    if wanted.model and wanted.strategy and wanted.model in state["served"]:
        return "executor"
    return "monitor"


def route_after_execution(state: RunState) -> Literal["validator", "executor", "outcome"]:
    """To the validator with an answer; after a failure, to another attempt while there are any."""
    latest = state["generations"][-1]
    if not isinstance(latest, StepFailed):
        return "validator"
    again = latest.error.retryable and not attempts_are_spent(state)
    return "executor" if again else "outcome"


def route_after_validation(state: RunState) -> Literal["executor", "outcome"]:
    """To another attempt where the validator asks for one and one is left."""
    latest = state["validations"][-1]
    wants_another = isinstance(latest, OutputValidated) and latest.verdict == "retry"
    return "executor" if wants_another and not attempts_are_spent(state) else "outcome"


def attempts_are_spent(state: RunState) -> bool:
    """Whether the run has used all the attempts it may."""
    return len(state["generations"]) >= state["max_attempts"]
