"""What people tell an executor to do with its models, besides what monitors decide."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bus.placement_board import ABSENT, PlacementBoard
from contracts.call import (
    Call,
    DescribeHost,
    EvictModels,
    LoadModel,
    PinModel,
    SetBudgets,
    UnloadModel,
)
from contracts.errors import InvalidInput
from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import HostReport, ModelReport
from providers.provider_gateway import ProviderGateway

Change = Callable[[tuple[PlacedModel, ...]], tuple[PlacedModel, ...]]


class ExecutorControl:
    """Loads, frees and pins models and sets budgets, each answered with the host as it is then.

    What is changed is written into the host's placement too, under compare-and-set, so that the
    monitors know of it and it outlives the executor.
    """

    def __init__(
        self,
        *,
        host: str,
        gateway: ProviderGateway,
        describe: Callable[[], Awaitable[HostReport]],
        placements: PlacementBoard,
    ) -> None:
        self._host = host
        self._gateway = gateway
        self._describe = describe
        self._placements = placements

    def handlers(self) -> Mapping[type[Call], Callable[[Any], Awaitable[HostReport]]]:
        """Who answers which call."""
        return {
            DescribeHost: self.describe,
            LoadModel: self.load,
            UnloadModel: self.unload,
            PinModel: self.pin,
            EvictModels: self.evict,
            SetBudgets: self.set_budgets,
        }

    async def describe(self, _call: DescribeHost) -> HostReport:
        """The host as it is."""
        return await self._describe()

    async def load(self, call: LoadModel) -> HostReport:
        """Load, evicting what must leave for it. Raises: what the gateway raises."""
        await self._gateway.load(call.model, call.strategy)
        report = self._report(call.model)
        if report is not None and report.needs_memory:
            strategy = call.strategy or report.default_strategy
            await self._change(lambda placed: with_model(placed, call.model, strategy))
        return await self._describe()

    async def unload(self, call: UnloadModel) -> HostReport:
        """Free one model. Raises: what the gateway raises."""
        await self._change(lambda placed: without_models(placed, {call.model}))
        self._gateway.pin(call.model, pinned=False)
        await self._gateway.unload(call.model)
        return await self._describe()

    async def pin(self, call: PinModel) -> HostReport:
        """Pin or unpin one model. Raises: what the gateway raises."""
        self._gateway.pin(call.model, pinned=call.pinned)
        report = self._report(call.model)
        if report is not None and report.needs_memory:
            strategy = report.resident_strategy or report.default_strategy
            await self._change(
                lambda placed: with_pin(placed, call.model, strategy, pinned=call.pinned)
            )
        return await self._describe()

    async def evict(self, _call: EvictModels) -> HostReport:
        """Free all that is not pinned."""
        leaving = {
            report.model
            for report in self._gateway.models()
            if report.needs_memory and report.resident and not report.pinned
        }
        await self._change(lambda placed: without_models(placed, leaving))
        for model in leaving:
            await self._gateway.unload(model)
        return await self._describe()

    async def set_budgets(self, call: SetBudgets) -> HostReport:
        """Bound what models may use. Raises: InvalidInput for a device that is not there."""
        known = [device.name for device in self._gateway.memory()]
        for name in call.budgets:
            if name not in known:
                raise InvalidInput(
                    field="budgets",
                    reason=f"{self._host} has no device of that name",
                    cure=f"choose among: {', '.join(known) or 'there is none'}",
                )
        await self._gateway.set_budgets(call.budgets)
        return await self._describe()

    def _report(self, model: str) -> ModelReport | None:
        return next((one for one in self._gateway.models() if one.model == model), None)

    async def _change(self, change: Change) -> None:
        """Write what ``change`` makes of the placement, unless that is what stands there."""
        while True:
            found = await self._placements.read_one(self._host)
            before = found.placement.models if found is not None else ()
            after = change(before)
            if after == before:
                return
            new = HostPlacement(
                host=self._host,
                models=after,
                decided_by=self._host,
                decided_at=datetime.now(UTC),
                reason="told by a person",
            )
            if await self._placements.decide(self._host, new, found.revision if found else ABSENT):
                return


def with_model(
    placed: tuple[PlacedModel, ...], model: str, strategy: str
) -> tuple[PlacedModel, ...]:
    """``placed``, in which ``model`` runs with ``strategy``; pure."""
    if any(one.model == model for one in placed):
        return tuple(
            one.model_copy(update={"strategy": strategy}) if one.model == model else one
            for one in placed
        )
    return (*placed, PlacedModel(model=model, strategy=strategy))


def without_models(placed: tuple[PlacedModel, ...], leaving: set[str]) -> tuple[PlacedModel, ...]:
    """``placed`` without ``leaving``; pure."""
    return tuple(one for one in placed if one.model not in leaving)


def with_pin(
    placed: tuple[PlacedModel, ...], model: str, strategy: str, *, pinned: bool
) -> tuple[PlacedModel, ...]:
    """``placed``, in which ``model`` is pinned or not; pure.

    Pinning places a model that was not, unpinning does not.
    """
    if pinned and all(one.model != model for one in placed):
        placed = with_model(placed, model, strategy)
    return tuple(
        one.model_copy(update={"pinned": pinned}) if one.model == model else one for one in placed
    )
