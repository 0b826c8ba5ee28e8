"""What a person submits: text or chat messages, with wishes."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from contracts.message import JsonObject, Message, Request
from contracts.run_id import RunId

# UTF-8 bytes of all text of one prompt. JSON escaping may double it, and the bus carries 512 KiB.
MAX_PROMPT_BYTES = 192 * 1024
MAX_MESSAGES = 256
MAX_NEW_TOKENS = 32_768
MAX_DEADLINE_S = 24 * 3600.0
MAX_RESPONSE_FORMAT_BYTES = 32 * 1024

_FORBIDDEN_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class TaskType(StrEnum):
    """What kind of work a prompt asks for."""

    CHAT = "chat"
    QUESTION = "question"
    CODE = "code"
    MATH = "math"
    SUMMARIZE = "summarize"
    TRANSLATE = "translate"
    WRITE = "write"
    EXTRACT = "extract"


class Priority(StrEnum):
    """The queue a prompt waits in, the most urgent first."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BATCH = "batch"


class ChatMessage(Message):
    """One turn of a conversation (OpenAI's chat shape, text only)."""

    role: Literal["system", "user", "assistant"]
    content: str


class ResponseFormat(Message):
    """The shape wished for the answer (OpenAI's ``response_format``)."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonObject | None = None


def _bounded(value: ResponseFormat) -> ResponseFormat:
    if len(value.encode()) > MAX_RESPONSE_FORMAT_BYTES:
        raise ValueError(f"must be at most {MAX_RESPONSE_FORMAT_BYTES} bytes of JSON")
    return value


BoundedFormat = Annotated[ResponseFormat, AfterValidator(_bounded)]

ModelKey = Annotated[str, StringConstraints(min_length=1, max_length=200)]
StrategyKey = Annotated[str, StringConstraints(min_length=1, max_length=40)]
SessionId = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")
]
StopString = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Wishes(BaseModel):
    """What a prompt may ask of the run besides an answer; everything has a sane default."""

    model: ModelKey | None = None
    strategy: StrategyKey | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=MAX_NEW_TOKENS)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    seed: int | None = Field(default=None, ge=0, le=2**32 - 1)
    stop: tuple[StopString, ...] = Field(default=(), max_length=8)
    response_format: BoundedFormat | None = None
    session_id: SessionId | None = None
    deadline_s: float | None = Field(default=None, gt=0.0, le=MAX_DEADLINE_S)
    max_attempts: int | None = Field(default=None, ge=1, le=10)
    local_only: bool = False


class PromptBody(Wishes):
    """A prompt and its wishes: ``prompt``, or ``messages``, or both (the prompt comes last)."""

    prompt: str | None = None
    messages: tuple[ChatMessage, ...] = Field(default=(), max_length=MAX_MESSAGES)

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        if self.prompt is None and not self.messages:
            raise ValueError("prompt: is missing; give a prompt or messages")
        if self.prompt is not None:
            check_text("prompt", (self.prompt,))
        if self.messages:
            check_text("messages", (message.content for message in self.messages))
        if self.prompt is None:
            if self.messages[-1].role != "user":
                raise ValueError("messages: the last message must be from the user")
            if not self.messages[-1].content.strip():
                raise ValueError("messages: the last message is empty")
        return self

    @property
    def text(self) -> str:
        """The text to answer: the prompt, or the last user message."""
        return self.prompt if self.prompt is not None else self.messages[-1].content

    def conversation(self) -> tuple[ChatMessage, ...]:
        """All turns in order, the text to answer last."""
        if self.prompt is None:
            return self.messages
        return (*self.messages, ChatMessage(role="user", content=self.prompt))


class PromptRequest(PromptBody, Request):
    """A prompt as it arrives over HTTP or WebSocket; unknown fields are refused."""

    priority: Priority = Priority.INTERACTIVE


class SubmitPrompt(PromptBody, Message):
    """The command on ``prompts.<priority>``; its PubAck is the acceptance.

    ``run_id`` may be left out by plain NATS clients; it is then derived from the message's place
    in the stream. ``replay_of`` names the run that this one tries again.
    """

    run_id: RunId | None = None
    replay_of: RunId | None = None

    @classmethod
    def of(cls, request: PromptRequest, run_id: str) -> Self:
        """The command that submits ``request`` as run ``run_id``."""
        fields: dict[str, Any] = {name: getattr(request, name) for name in PromptBody.model_fields}
        return cls(run_id=run_id, **fields)


def check_text(field: str, texts: Iterable[str]) -> None:
    """Refuse what no model should be given: blank, over-long or control-ridden text.

    Raises: ValueError whose message begins with the field's name.
    """
    num_bytes = 0
    blank = True
    for text in texts:
        found = _FORBIDDEN_CONTROL.search(text)
        if found:
            raise ValueError(
                f"{field}: control character U+{ord(found.group()):04X} at position "
                f"{found.start()}; only tab and line breaks are allowed"
            )
        num_bytes += len(text.encode())
        blank = blank and not text.strip()
    if blank:
        raise ValueError(f"{field}: is empty")
    if num_bytes > MAX_PROMPT_BYTES:
        raise ValueError(f"{field}: is longer than {MAX_PROMPT_BYTES} bytes")
