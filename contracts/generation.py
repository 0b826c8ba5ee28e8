"""The one request to a model and its one result, for orchestrated and direct use alike."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from contracts.message import Message, Request
from contracts.prompt import (
    MAX_MESSAGES,
    MAX_NEW_TOKENS,
    BoundedFormat,
    ChatMessage,
    ModelKey,
    Priority,
    StopString,
    StrategyKey,
    check_text,
)

Source = Literal["local", "remote"]
FinishReason = Literal["stop", "length", "cancelled", "error"]
DEFAULT_STRATEGY = "standard"
DEFAULT_MAX_TOKENS = 256


class GenerationFields(BaseModel):
    """What a model is asked: the turns and how to sample.

    What is left out follows the model's entry in the registry. With ``local_only`` the text never
    leaves the machines of the executors: no remote provider is asked, not even as a fallback.
    """

    model: ModelKey = "pocket"
    strategy: StrategyKey | None = None
    prompt: str | None = None
    messages: tuple[ChatMessage, ...] = Field(default=(), max_length=MAX_MESSAGES + 64)
    max_tokens: int | None = Field(default=None, ge=1, le=MAX_NEW_TOKENS)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    repetition_penalty: float | None = Field(default=None, ge=0.5, le=2.0)
    seed: int | None = Field(default=None, ge=0, le=2**32 - 1)
    stop: tuple[StopString, ...] = Field(default=(), max_length=8)
    response_format: BoundedFormat | None = None
    local_only: bool = False
    priority: Priority = Priority.NORMAL

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        if self.prompt is None and not self.messages:
            raise ValueError("prompt: is missing; give a prompt or messages")
        if self.prompt is not None:
            check_text("prompt", (self.prompt,))
        return self

    def conversation(self) -> tuple[ChatMessage, ...]:
        """All turns in order, the text to answer last."""
        if self.prompt is None:
            return self.messages
        return (*self.messages, ChatMessage(role="user", content=self.prompt))


class GenerationRequest(GenerationFields, Message):
    """What the provider gateway takes."""


class DirectRequest(GenerationFields, Request):
    """``POST /inference/``: a generation without a run; unknown fields are refused."""

    mode: Literal["direct"] = "direct"

    @model_validator(mode="after")
    def _check_messages(self) -> Self:
        if self.messages:
            check_text("messages", (message.content for message in self.messages))
        return self

    def to_generation(self) -> GenerationRequest:
        """The same request as the gateway takes it."""
        return GenerationRequest(
            **{name: getattr(self, name) for name in GenerationFields.model_fields}
        )


class Usage(Message):
    """Tokens of one generation."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class GenerationResult(Message):
    """What a model answered, and what it took; all times in milliseconds.

    ``total_time_ms`` runs from the call of the gateway to the last token; ``first_token_ms`` from
    the call to the first; ``cache_hit`` tells that the model was resident. ``cancel_time_ms`` runs
    from the wish to stop to the moment the model was free again. ``fallback_from`` names the model
    that was asked for, where another one answered in its place.
    """

    output: str
    model: str
    strategy: str
    provider: str
    source: Source
    finish_reason: FinishReason
    cache_hit: bool = False
    load_time_ms: float = 0.0
    queue_time_ms: float = 0.0
    first_token_ms: float | None = None
    inference_time_ms: float = 0.0
    total_time_ms: float = 0.0
    cancel_time_ms: float | None = None
    fallback_from: str | None = None
    usage: Usage = Usage()

    def execution_metrics(self) -> dict[str, float | int | str | bool | None]:
        """The flat form that run views and REST answers carry."""
        metrics = self.model_dump(exclude={"output", "usage"})
        return {**metrics, **self.usage.model_dump()}


class TextDelta(Message):
    """A piece of an answer: ``text`` begins at character ``offset`` of the whole."""

    offset: int
    text: str


class LoadProgress(Message):
    """How far a model's load is: bytes of weights read of those there are."""

    model: str
    bytes_done: int
    bytes_total: int
