"""The strategies there are: how a model is run, and what that promises."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import UnknownStrategy
from contracts.prompt import StrategyKey
from providers.registries.model_entry import Dtype, ModelEntry
from providers.registries.registry_file import check_entry, read_entries

TABLE = "strategies"
_SIXTEEN_BIT = ("bfloat16", "float16")
BUILT_IN_FILE = Path(__file__).with_name("strategies.toml")


class Strategy(BaseModel):
    """How a model is loaded and run.

    ``dtype`` ``checkpoint`` keeps the entry's; ``fast`` takes a 16-bit type where the device
    computes in it natively, else the entry's; ``int8`` and ``int4`` are quantized while loading.
    With ``quantize`` ``fast`` also considers quantized weights, takes what decodes fastest, and is
    refused where there is nothing to gain. ``warm_up`` generates a little before the model counts
    as resident, so that no request pays for lazy initialisation. While a request with
    ``prefill_tokens`` is served, no step reads more tokens of prompts than that, so that others'
    prompts hold its next token up less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: StrategyKey
    promise: str = Field(min_length=1)
    dtype: Literal["checkpoint", "fast", "int8", "int4"] = "checkpoint"
    quantize: bool = False
    warm_up: bool = False
    prefill_tokens: int | None = Field(default=None, ge=16)

    def weights_kind(self, entry_dtype: Dtype) -> str:
        """What of the weights differs by strategy: equal kinds of one model can be shared."""
        if self.dtype == "fast" and not self.quantize and entry_dtype in _SIXTEEN_BIT:
            return "checkpoint"
        return self.dtype


class StrategyRegistry:
    """Immutable look-up of :class:`Strategy` by key."""

    def __init__(self, strategies: Iterable[Strategy]) -> None:
        self._strategies = {strategy.key: strategy for strategy in strategies}

    @classmethod
    def from_toml(cls, paths: Sequence[Path] = ()) -> Self:
        """The built-in strategies with each file of ``paths`` merged over them.

        Raises: RegistryFileInvalid naming file, entry, field and cure.
        """
        raw_entries = read_entries(TABLE, [BUILT_IN_FILE, *paths])
        return cls(check_entry(Strategy, TABLE, key, raw) for key, raw in raw_entries.items())

    def list(self) -> tuple[Strategy, ...]:
        """All strategies in the order of the files."""
        return tuple(self._strategies.values())

    def known_for(self, entry: ModelEntry) -> tuple[str, ...]:
        """The strategies that exist and that ``entry`` runs with."""
        return tuple(key for key in entry.strategies if key in self._strategies)

    def get(self, key: str, entry: ModelEntry) -> Strategy:
        """The strategy ``key`` for that model.

        Raises: UnknownStrategy with the alternatives, when either does not know it.
        """
        known = self.known_for(entry)
        if key not in known:
            raise UnknownStrategy(strategy=key, known=known)
        return self._strategies[key]
