"""What OpenAI's clients send, and the same as promptbus takes it.

Fields that mean nothing here (``user``, penalties, ``logit_bias``, …) are ignored, as every server
of this protocol does; those without which the answer would be another (``tools``, ``logprobs``, …)
are refused. ``strategy``, ``session_id``, ``local_only`` and ``max_attempts`` are ours.
"""

from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from api.openai.unsupported import Nothing, NothingOrNo, NothingOrOne, TextOnly
from api.validation import refusal_of
from contracts.errors import InvalidInput
from contracts.generation import DirectRequest
from contracts.prompt import ChatMessage, ModelKey, PromptRequest, ResponseFormat

# Not a model: the monitor chooses one.
AUTO: Final = "auto"
_SEEDS: Final = 2**32

ModelT = TypeVar("ModelT", bound=BaseModel)


def _joined(value: Any) -> Any:
    """The text of a turn, which may come in parts."""
    if value is None:
        return ""
    if not isinstance(value, list):
        return value
    texts = []
    for part in value:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            raise ValueError("may hold parts of type text only")
        texts.append(text)
    return "".join(texts)


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _only(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    if isinstance(value, list):
        raise ValueError("must be one text; tokens and several prompts are not supported")
    return value


def _one(value: Any) -> Any:
    if value not in (None, 1) or isinstance(value, bool):
        raise ValueError("must be 1")
    return value


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Turn(_Body):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined)] = ""

    def to_message(self) -> ChatMessage:
        """The same as promptbus takes it."""
        role = "system" if self.role == "developer" else self.role
        return ChatMessage(role=role, content=self.content)


class StreamOptions(_Body):
    """What a stream tells besides the text."""

    include_usage: bool = False


class _Wanted(_Body):
    """What both kinds of completion may ask for."""

    model: ModelKey
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: Annotated[tuple[str, ...] | None, BeforeValidator(_listed)] = None
    n: Annotated[int | None, BeforeValidator(_one)] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    strategy: str | None = None
    session_id: str | None = None
    local_only: bool | None = None
    max_attempts: int | None = None

    @property
    def include_usage(self) -> bool:
        """Whether the stream shall end with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def json_format(self) -> ResponseFormat | None:
        """The JSON that the answer must be, where it must be JSON."""
        return None

    def to_prompt(self) -> PromptRequest:
        """The prompt of an orchestrated run; a stream has one attempt unless more are asked for.

        Raises: RefusedRequest naming the field.
        """
        fields = self._fields() | _given(
            session_id=self.session_id,
            max_attempts=self.max_attempts or (1 if self.stream else None),
        )
        if self.model == AUTO:
            del fields["model"]
        return _build(PromptRequest, fields)

    def to_direct(self) -> DirectRequest:
        """The direct request. Raises: RefusedRequest naming the field."""
        if self.model == AUTO:
            raise InvalidInput(
                field="model", reason="must be named for a direct generation", cure="name one"
            )
        return _build(DirectRequest, self._fields())

    def _fields(self) -> dict[str, Any]:
        return {"model": self.model} | _given(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=None if self.seed is None else self.seed % _SEEDS,
            stop=self.stop,
            strategy=self.strategy,
            local_only=self.local_only,
        )


class ChatCompletionRequest(_Wanted):
    """``POST /v1/chat/completions``."""

    messages: tuple[Turn, ...] = Field(min_length=1)
    max_completion_tokens: int | None = None
    response_format: ResponseFormat | None = None
    tools: Nothing = None
    functions: Nothing = None
    logprobs: NothingOrNo = None
    top_logprobs: NothingOrNo = None
    modalities: TextOnly = None
    audio: Nothing = None
    web_search_options: Nothing = None

    @property
    def json_format(self) -> ResponseFormat | None:
        """The JSON that the answer must be, where it must be JSON."""
        wanted = self.response_format
        return None if wanted is None or wanted.type == "text" else wanted

    def _fields(self) -> dict[str, Any]:
        return super()._fields() | _given(
            messages=tuple(turn.to_message() for turn in self.messages),
            max_tokens=self.max_completion_tokens,
            response_format=self.response_format,
        )


class CompletionRequest(_Wanted):
    """``POST /v1/completions``: one text to answer."""

    prompt: Annotated[str, BeforeValidator(_only)]
    logprobs: Nothing = None
    best_of: NothingOrOne = None
    echo: NothingOrNo = None
    suffix: Nothing = None

    def _fields(self) -> dict[str, Any]:
        return super()._fields() | {"prompt": self.prompt}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _build(model: type[ModelT], fields: dict[str, Any]) -> ModelT:
    try:
        return model(**fields)
    except ValidationError as exc:
        raise refusal_of(exc, model) from None
