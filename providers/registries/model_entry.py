"""One model that can be asked for, and how it likes to be run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.generation import DEFAULT_MAX_TOKENS, DEFAULT_STRATEGY
from contracts.prompt import MAX_DEADLINE_S, MAX_NEW_TOKENS, ModelKey, StrategyKey, TaskType

# The source of the model that the package carries; it has neither hub id nor folder of its own.
BUILT_IN = "built-in"
MAX_FALLBACKS = 8

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
ProviderName = Literal["local", "echo", "openai"]

_CONFIG = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SamplingDefaults(BaseModel):
    """How a model samples where a request does not say; temperature 0 is greedy."""

    model_config = _CONFIG

    max_tokens: int = Field(default=DEFAULT_MAX_TOKENS, ge=1, le=MAX_NEW_TOKENS)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    repetition_penalty: float = Field(default=1.0, ge=0.5, le=2.0)


class ModelEntry(BaseModel):
    """A model of the registry.

    ``source`` is a hub id, a folder (begins with ``.``, ``/`` or ``~``; relative ones count from
    the file that names them) or ``built-in``; with the provider ``openai`` it is the name that the
    server at ``base_url`` knows the model by. ``dtype`` ``auto`` means as the checkpoint says.
    ``rank`` orders models by ability, bigger is more able. ``chat_template`` (Jinja) is used
    where the tokenizer brings none, with ``chat_template_options`` as its variables.

    ``fallbacks`` answer in its place, in order, when it fails before its first token. ``base_url``
    and the fields below it are for remote models; ``api_key_env`` is the name of the environment
    variable that holds the key, never the key.
    """

    model_config = _CONFIG

    key: ModelKey = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")
    provider: ProviderName = "local"
    source: str = Field(min_length=1)
    revision: str | None = None
    dtype: Dtype = "auto"
    context_tokens: int | None = Field(default=None, ge=16)
    num_parameters: int | None = Field(default=None, ge=0)
    strategies: tuple[StrategyKey, ...] = Field(
        default=("standard", "optimized", "streaming"), min_length=1
    )
    default_strategy: StrategyKey = DEFAULT_STRATEGY
    good_at: tuple[TaskType, ...] = ()
    rank: int = 0
    sampling: SamplingDefaults = SamplingDefaults()
    chat_template: str | None = None
    chat_template_options: dict[str, bool | int | str] = Field(default_factory=dict)
    system_prompt: str | None = None
    fallbacks: tuple[ModelKey, ...] = Field(default=(), max_length=MAX_FALLBACKS)
    base_url: str | None = None
    allow_insecure: bool = False
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    timeout_s: float = Field(default=600.0, gt=0.0, le=MAX_DEADLINE_S)
    first_token_timeout_s: float = Field(default=60.0, gt=0.0, le=MAX_DEADLINE_S)
    max_retries: int = Field(default=2, ge=0, le=10)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    @property
    def is_remote(self) -> bool:
        """Whether its prompts leave this machine for a server of somebody's."""
        return self.provider == "openai"
