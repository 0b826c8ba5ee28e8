"""What went wrong in an engine, as the error that its caller can act on."""

import torch

from contracts.errors import OutOfMemory, PromptbusError, ProviderFailed
from providers.foreign_error import describe

# torch has a class of its own for CUDA only; elsewhere the text tells.
_MEMORY_PHRASES = (
    *("out of memory", "not enough memory"),
    *("can't allocate memory", "cannot allocate memory"),
)


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether ``exc``, or what caused it, is a device or the host without memory left."""
    if isinstance(exc, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(exc, RuntimeError | OSError) and any(
        phrase in str(exc).lower() for phrase in _MEMORY_PHRASES
    ):
        return True
    return exc.__cause__ is not None and is_out_of_memory(exc.__cause__)


def as_engine_error(model: str, device: torch.device, exc: Exception) -> PromptbusError:
    """``exc`` as it leaves an engine: promptbus's own unchanged, others as one of two."""
    if isinstance(exc, PromptbusError):
        return exc
    if is_out_of_memory(exc):
        return OutOfMemory(model=model, device=str(device), reason=describe(exc))
    return ProviderFailed(provider="local", reason=describe(exc))
