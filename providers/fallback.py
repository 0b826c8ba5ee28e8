"""When another model may answer in place of one that failed; pure."""

from collections.abc import Sequence
from typing import Final

from contracts.errors import (
    DoesNotFit,
    ModelLoadFailed,
    NotReady,
    OutOfMemory,
    PromptbusError,
)
from providers.provider_error import AnswerBrokeOff, ProviderRefused

# Permanent faults of one model on this host, which another model need not have.
_OF_THE_MODEL: Final = (ModelLoadFailed, OutOfMemory, DoesNotFit, NotReady, ProviderRefused)


def may_fall_back(error: PromptbusError) -> bool:
    """Whether ``error``, raised before the first token, lets the next model of a chain try.

    Faults of the request itself would only be repeated.
    """
    if isinstance(error, AnswerBrokeOff):
        return False
    return error.retryable or isinstance(error, _OF_THE_MODEL)


def error_of_chain(errors: Sequence[PromptbusError]) -> PromptbusError:
    """What is told when a whole chain failed: what may pass by itself, else the first fault."""
    return next((error for error in errors if error.retryable), errors[0])
