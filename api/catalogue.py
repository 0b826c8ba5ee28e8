"""The models there are, put together from what all executors report."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bus.presence_board import PresenceBoard
from contracts.errors import NoExecutor, UnknownModel, UnknownStrategy
from contracts.generation import Source
from contracts.message import Message
from contracts.presence import HostReport, ModelReport, Presence


class Residence(Message):
    """A host that serves a model, and what of it is in memory there.

    ``strategy`` is the one it is resident with; ``loading`` runs from 0 to 1 while it loads.
    """

    host: str
    available: bool
    resident: bool
    strategy: str | None = None
    loading: float | None = None


class CatalogueModel(Message):
    """One model of the catalogue and where it is served."""

    model: str
    provider: str
    source: Source
    strategies: tuple[str, ...]
    default_strategy: str
    num_parameters: int | None = None
    size_bytes: int | None = None
    context_tokens: int | None = None
    good_at: tuple[str, ...] = ()
    rank: int = 0
    available: bool
    resident: bool
    hosts: tuple[Residence, ...]


class Catalogue:
    """The models of all executors that are present."""

    def __init__(self, board: PresenceBoard) -> None:
        self._board = board
        self._built_of: Sequence[Presence] | None = None
        self._models: tuple[CatalogueModel, ...] = ()

    async def models(self) -> tuple[CatalogueModel, ...]:
        """All models, the ablest first. Raises: BusUnavailable."""
        present = await self._board.present()
        if present is not self._built_of:
            self._models = build_catalogue(await self._board.hosts())
            self._built_of = present
        return self._models

    async def check_wishes(self, model: str | None, strategy: str | None) -> None:
        """Refuse a model or strategy that no executor serves, if any executor is present.

        Raises: UnknownModel, UnknownStrategy, BusUnavailable.
        """
        models = await self.models()
        if not models:
            return
        if model is not None:
            strategy_for(models, model, strategy)
        elif strategy is not None:
            _check_strategy(models, strategy)

    async def strategy_for(self, model: str, strategy: str | None) -> str:
        """The strategy to run ``model`` with: ``strategy`` itself, or the model's default.

        Raises: NoExecutor when none is present, UnknownModel, UnknownStrategy, BusUnavailable.
        """
        models = await self.models()
        if not models:
            raise NoExecutor()
        return strategy_for(models, model, strategy)


def strategy_for(models: Sequence[CatalogueModel], model: str, strategy: str | None) -> str:
    """The strategy to run ``model`` with; pure. Raises: UnknownModel, UnknownStrategy."""
    for known in models:
        if known.model == model:
            _check_strategy((known,), strategy or known.default_strategy)
            return strategy or known.default_strategy
    raise UnknownModel(model=model, known=tuple(sorted(known.model for known in models)))


def build_catalogue(hosts: Sequence[HostReport]) -> tuple[CatalogueModel, ...]:
    """One entry for each model that any of ``hosts`` reports, the ablest first; pure."""
    served: dict[str, list[tuple[HostReport, ModelReport]]] = defaultdict(list)
    for host in sorted(hosts, key=lambda host: host.host):
        for report in host.models:
            served[report.model].append((host, report))
    models = (_entry(name, places) for name, places in served.items())
    return tuple(sorted(models, key=lambda entry: (-entry.rank, entry.model)))


def _entry(model: str, places: Sequence[tuple[HostReport, ModelReport]]) -> CatalogueModel:
    reports = [report for _, report in places]
    first = reports[0]
    return CatalogueModel(
        model=model,
        provider=first.provider,
        source=first.source,
        strategies=_union(report.strategies for report in reports),
        default_strategy=first.default_strategy,
        num_parameters=first.num_parameters,
        size_bytes=max((report.size_bytes or 0 for report in reports), default=0) or None,
        context_tokens=first.context_tokens,
        good_at=first.good_at,
        rank=first.rank,
        available=any(report.available for report in reports),
        resident=any(report.resident for report in reports),
        hosts=tuple(_residence(host, report) for host, report in places),
    )


def _residence(host: HostReport, report: ModelReport) -> Residence:
    return Residence(
        host=host.host,
        available=report.available,
        resident=report.resident,
        strategy=report.resident_strategy,
        loading=report.loading,
    )


def _union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group))


def _check_strategy(models: Sequence[CatalogueModel], strategy: str) -> None:
    known = _union(model.strategies for model in models)
    if strategy not in known:
        raise UnknownStrategy(strategy=strategy, known=tuple(sorted(known)))
