"""One piece of a streamed chat completion, read without trusting it; pure.

The client library builds its objects unchecked, so any attribute may be missing or of any type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.generation import FinishReason

_FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "error",
    "abort": "error",
    "error": "error",
}


class NotAChunk(ValueError):
    """What came is JSON, but no piece of a chat completion."""


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """What one piece says; ``thought`` tells that the model works on text that nobody sees."""

    text: str = ""
    thought: bool = False
    finish_reason: FinishReason | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


def read_chunk(chunk: Any) -> ChatChunk:
    """What ``chunk``, as the client library gives it, says.

    Raises: NotAChunk.
    """
    choices = getattr(chunk, "choices", None)
    usage = getattr(chunk, "usage", None)
    if not isinstance(choices, list) and usage is None:
        raise NotAChunk("a piece has no choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = getattr(choice, "delta", None)
    text = getattr(delta, "content", None)
    if text is not None and not isinstance(text, str):
        raise NotAChunk("the content of a piece is no text")
    return ChatChunk(
        text=text or "",
        thought=_has_thought(delta),
        finish_reason=_finish_reason(getattr(choice, "finish_reason", None)),
        prompt_tokens=_count(getattr(usage, "prompt_tokens", None)),
        completion_tokens=_count(getattr(usage, "completion_tokens", None)),
    )


def _has_thought(delta: Any) -> bool:
    return any(getattr(delta, name, None) for name in ("reasoning_content", "reasoning"))


def _finish_reason(value: Any) -> FinishReason | None:
    return _FINISH_REASONS.get(value, "stop") if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    # JSON's true is a number to Python.
    return value if isinstance(value, int) and value >= 0 and not isinstance(value, bool) else None
