"""Answers in OpenAI's shapes, whole and in pieces; pure."""

from dataclasses import dataclass
from typing import Any, Protocol

from api.openai.answer import Answer
from contracts.generation import Usage


class Shape(Protocol):
    """How one kind of completion looks."""

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The body of a response."""

    def opening(self) -> dict[str, Any] | None:
        """What a stream begins with, if with anything."""

    def piece(self, text: str) -> dict[str, Any]:
        """The next piece of text."""

    def closing(self, answer: Answer) -> list[dict[str, Any]]:
        """What follows the last piece of text."""


@dataclass(frozen=True, slots=True)
class ChatShape:
    """``chat.completion``; ``created`` is in seconds since 1970."""

    run_id: str
    created: int
    model: str
    include_usage: bool = False

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The body of a response."""
        message = {"role": "assistant", "content": answer.output, "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": answer.finish_reason,
        }
        return self._base("chat.completion", answer.model) | {
            "choices": [choice],
            "usage": _usage(answer.usage),
        }

    def opening(self) -> dict[str, Any]:
        """The piece that names the role."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> dict[str, Any]:
        """The next piece of text."""
        return self._chunk({"content": text})

    def closing(self, answer: Answer) -> list[dict[str, Any]]:
        """The piece with the finish reason, and the usage where it is wanted."""
        last = [self._chunk({}, answer.finish_reason, answer.model)]
        if self.include_usage:
            base = self._base("chat.completion.chunk", answer.model)
            last.append(base | {"choices": [], "usage": _usage(answer.usage)})
        return last

    def _chunk(
        self, delta: dict[str, Any], finish_reason: str | None = None, model: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = self._base("chat.completion.chunk", model or self.model) | {"choices": [choice]}
        return chunk | {"usage": None} if self.include_usage else chunk

    def _base(self, kind: str, model: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.run_id}",
            "object": kind,
            "created": self.created,
            "model": model,
        }


@dataclass(frozen=True, slots=True)
class TextShape:
    """``text_completion``; ``created`` is in seconds since 1970."""

    run_id: str
    created: int
    model: str
    include_usage: bool = False

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The body of a response."""
        body = self._body(answer.output, answer.finish_reason, answer.model)
        return body | {"usage": _usage(answer.usage)}

    def opening(self) -> None:
        """Nothing comes before the text."""
        return

    def piece(self, text: str) -> dict[str, Any]:
        """The next piece of text."""
        return self._chunk(text)

    def closing(self, answer: Answer) -> list[dict[str, Any]]:
        """The piece with the finish reason, and the usage where it is wanted."""
        last = [self._chunk("", answer.finish_reason, answer.model)]
        if self.include_usage:
            usage = self._body("", None, answer.model)
            last.append(usage | {"choices": [], "usage": _usage(answer.usage)})
        return last

    def _chunk(
        self, text: str, finish_reason: str | None = None, model: str | None = None
    ) -> dict[str, Any]:
        chunk = self._body(text, finish_reason, model or self.model)
        return chunk | {"usage": None} if self.include_usage else chunk

    def _body(self, text: str, finish_reason: str | None, model: str) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
        return {
            "id": f"cmpl-{self.run_id}",
            "object": "text_completion",
            "created": self.created,
            "model": model,
            "choices": [choice],
        }


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
