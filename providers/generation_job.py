"""A request with every default filled in: what a provider is handed."""

from dataclasses import dataclass
from typing import TypeVar

from contracts.generation import GenerationRequest
from contracts.prompt import ChatMessage, Priority, ResponseFormat
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

_NumberT = TypeVar("_NumberT", int, float)


@dataclass(frozen=True, slots=True)
class GenerationJob:
    """One generation to run, with no default left open.

    ``has_fallback`` tells that another model answers if this one fails before its first token, so
    that failing soon is better than trying long.
    """

    entry: ModelEntry
    strategy: Strategy
    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float
    top_p: float
    repetition_penalty: float
    seed: int | None
    stop: tuple[str, ...]
    response_format: ResponseFormat | None = None
    priority: Priority = Priority.NORMAL
    local_only: bool = False
    has_fallback: bool = False


def build_job(
    request: GenerationRequest,
    entry: ModelEntry,
    strategy: Strategy,
    *,
    has_fallback: bool = False,
) -> GenerationJob:
    """``request`` with the entry's sampling defaults for fields that it does not set; pure.

    ``max_tokens`` is clipped to the model's context less one token of prompt; the provider, which
    alone can count the prompt, clips further.
    """
    defaults = entry.sampling
    max_tokens = _given(request.max_tokens, defaults.max_tokens)
    if entry.context_tokens is not None:
        max_tokens = min(max_tokens, entry.context_tokens - 1)
    return GenerationJob(
        entry=entry,
        strategy=strategy,
        messages=_with_system_prompt(request.conversation(), entry.system_prompt),
        max_tokens=max_tokens,
        temperature=_given(request.temperature, defaults.temperature),
        top_p=_given(request.top_p, defaults.top_p),
        repetition_penalty=_given(request.repetition_penalty, defaults.repetition_penalty),
        seed=request.seed,
        stop=request.stop,
        response_format=request.response_format,
        priority=request.priority,
        local_only=request.local_only,
        has_fallback=has_fallback,
    )


def _given(wish: _NumberT | None, default: _NumberT) -> _NumberT:
    return default if wish is None else wish


def _with_system_prompt(
    messages: tuple[ChatMessage, ...], system_prompt: str | None
) -> tuple[ChatMessage, ...]:
    if system_prompt is None or any(message.role == "system" for message in messages):
        return messages
    return (ChatMessage(role="system", content=system_prompt), *messages)
