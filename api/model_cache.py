"""The models in memory on all machines, and orders to the executors that hold them."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from api.problem import RefusedRequest
from bus.call import Caller
from bus.presence_board import PresenceBoard
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.call import (
    Call,
    DescribeHost,
    EvictModels,
    LoadModel,
    PinModel,
    SetBudgets,
    UnloadModel,
)
from contracts.errors import DeadlineExceeded, NoExecutor, NotReady, UnknownModel
from contracts.presence import HostReport, ModelReport

# What an executor announced is a second old at most; asked, it tells what is true now.
LOOK_S = 2.0


class ModelCache:
    """Orders are answered with the hosts they went to, as they are afterwards.

    Raises: RefusedRequest with unknown_host (404) for a host that is not there, NoExecutor where
    there is none at all, UnknownModel where none serves the model, and what the executors say.
    """

    def __init__(self, board: PresenceBoard, caller: Caller, *, timeout_s: float) -> None:
        self._board = board
        self._caller = caller
        self._timeout_s = timeout_s

    async def hosts(self, host: str | None = None) -> tuple[HostReport, ...]:
        """All hosts, or the one named, as they are now; those that do not say, as they were."""
        found = sorted(await self._board.hosts(), key=lambda one: one.host)
        chosen = [one for one in found if host in {None, one.host}]
        if chosen or host is None:
            return tuple(await asyncio.gather(*map(self._look, chosen)))
        if not found:
            raise NoExecutor()
        raise RefusedRequest(
            "unknown_host",
            "no executor of that name is there",
            status=HTTPStatus.NOT_FOUND,
            field="host",
            cure=f"choose one of: {', '.join(one.host for one in found)}; or leave it out",
        )

    async def load(self, model: str, strategy: str | None, host: str | None) -> HostReport:
        """Make the model resident on that host, or on the one that has most room for it."""
        chosen = choose_host(await self._served(model, host), model)
        return await self._tell(chosen, LoadModel(model=model, strategy=strategy))

    async def unload(self, model: str, host: str | None) -> tuple[HostReport, ...]:
        """Free the model, on that host or wherever it is."""
        return await self._tell_all(await self._served(model, host), UnloadModel(model=model))

    async def pin(self, model: str, host: str | None, *, pinned: bool) -> tuple[HostReport, ...]:
        """Pin the model where it is resident (on that host: always), or unpin it everywhere."""
        served = await self._served(model, host)
        resident = [one for one in served if _report(one, model).resident]
        wanted = served if host is not None or not pinned else resident
        if not wanted:
            raise RefusedRequest(
                "not_resident",
                "the model is in memory nowhere",
                status=HTTPStatus.CONFLICT,
                field="model",
                cure="load it first, or name the host",
            )
        return await self._tell_all(wanted, PinModel(model=model, pinned=pinned))

    async def evict(self, host: str | None) -> tuple[HostReport, ...]:
        """Free all that is not pinned, on that host or on all."""
        return await self._tell_all(await self.hosts(host), EvictModels())

    async def set_budgets(self, host: str | None, budgets: dict[str, int]) -> HostReport:
        """Bound what models may use of the devices of that host, or of the only one there is."""
        found = await self.hosts(host)
        if not found:
            raise NoExecutor()
        if len(found) > 1:
            raise RefusedRequest(
                "missing_field",
                "host: several executors are there",
                field="host",
                cure=f"name one of: {', '.join(one.host for one in found)}",
            )
        return await self._tell(found[0], SetBudgets(budgets=budgets))

    async def _look(self, host: HostReport) -> HostReport:
        try:
            return await self._tell(host, DescribeHost(), timeout_s=LOOK_S)
        except (NotReady, DeadlineExceeded):
            return host

    async def _served(self, model: str, host: str | None) -> tuple[HostReport, ...]:
        """The hosts asked for that serve ``model``."""
        found = await self.hosts(host)
        if not found:
            raise NoExecutor()
        serving = tuple(one for one in found if any(has.model == model for has in one.models))
        if not serving:
            known = sorted({has.model for one in found for has in one.models})
            raise UnknownModel(model=model, known=tuple(known))
        return serving

    async def _tell_all(self, hosts: Sequence[HostReport], call: Call) -> tuple[HostReport, ...]:
        return tuple([await self._tell(host, call) for host in hosts])

    async def _tell(
        self, host: HostReport, call: Call, *, timeout_s: float | None = None
    ) -> HostReport:
        subject = subjects.call(ActorKind.EXECUTOR, host.host)
        longest_s = self._timeout_s if timeout_s is None else timeout_s
        return await self._caller.call(subject, call, HostReport, timeout_s=longest_s)


def choose_host(hosts: Sequence[HostReport], model: str) -> HostReport:
    """Where to load ``model``: where it is, else where it is at hand and most is free; pure."""

    def worth(host: HostReport) -> tuple[bool, bool, int]:
        report = _report(host, model)
        free_bytes = max((device.free_bytes for device in host.devices), default=0)
        return report.resident, report.available, free_bytes

    return max(hosts, key=worth)


def _report(host: HostReport, model: str) -> ModelReport:
    return next(report for report in host.models if report.model == model)
