"""The strategies there are: how a model is run, and what that promises."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import UnknownStrategy
from contracts.prompt import StrategyKey
from providers.registries.model_entry import ModelEntry
from providers.registries.registry_file import check_entry, read_entries

TABLE = "strategies"
BUILT_IN_FILE = Path(__file__).with_name("strategies.toml")


class Strategy(BaseModel):
    """How a model is loaded and run.

    ``dtype`` ``checkpoint`` keeps the entry's; ``fast`` takes a 16-bit type where the device
    computes in it natively, else the entry's. ``warm_up`` runs one token before the model counts
    as resident, so that no request pays for lazy initialisation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: StrategyKey
    promise: str = Field(min_length=1)
    dtype: Literal["checkpoint", "fast"] = "checkpoint"
    warm_up: bool = False


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
