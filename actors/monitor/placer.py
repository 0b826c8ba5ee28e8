"""Carries placements out: reads what there is, decides, and writes under compare-and-set."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import anyio
from nats.errors import Error as NatsError

from actors.monitor.placement import Decision, Misfit, Situation, holders_of, place
from bus.placement_board import Placed, PlacementBoard
from bus.task_queues import TaskQueues
from bus.topology import PRESENCE_TTL_S
from contracts.errors import DoesNotFit, PromptbusError
from contracts.presence import HostReport

logger = logging.getLogger(__name__)

EVERY_S = 0.5
# Each lost race means that another monitor decided; so many in a row are its turn to go on.
MAX_RACES = 8

ReadHosts = Callable[[], Awaitable[Sequence[HostReport]]]


class Placer:
    """Sees to it that what is asked for is placed; any number of them may run.

    :meth:`run` looks at the queues again and again; :meth:`ensure` does so at once for a model
    that has just been chosen. ``decided_by`` names this monitor in what it decides.
    """

    def __init__(
        self,
        *,
        hosts: ReadHosts,
        placements: PlacementBoard,
        queues: TaskQueues,
        decided_by: str,
        every_s: float = EVERY_S,
    ) -> None:
        self._hosts = hosts
        self._placements = placements
        self._queues = queues
        self._decided_by = decided_by
        self._every_s = every_s
        self._missing_since_s: dict[str, float] = {}
        self._hopeless: frozenset[str] = frozenset()

    def hopeless(self) -> frozenset[str]:
        """The models that wait in queues, fit on no host, and whose last host is gone for good."""
        return self._hopeless

    async def run(self) -> None:
        """Place what waits in the queues, until cancelled; a failed pass is made up by the next."""
        while True:
            await anyio.sleep(self._every_s)
            try:
                await self._look()
            except (PromptbusError, NatsError) as exc:
                logger.warning("placements not decided: %s", exc)
            except Exception:
                # One odd report must not end all deciding on this bus.
                logger.exception("placements not decided")

    async def ensure(self, model: str, strategy: str | None) -> tuple[str, ...]:
        """The hosts that serve ``model``, placed now where none did.

        Raises: DoesNotFit naming what each host lacks; BusUnavailable.
        """
        hosts = await self._hosts()
        ready = [host.host for host in hosts if _has_ready(host, model)]
        if ready:
            return tuple(sorted(ready))
        placed = await self._placements.read_all()
        found = holders_of(model, _situation(hosts, placed, {model: 0}))
        if found:
            return tuple(found)
        decision = await self._decide(
            hosts, dict(await self._queues.depth_by_model()), {model: strategy}
        )
        if model in decision.misfits:
            misfit = decision.misfits[model]
            raise DoesNotFit(
                model=model, needed_bytes=misfit.needed_bytes, shortfalls=misfit.shortfalls
            )
        placed = await self._placements.read_all()
        return tuple(holders_of(model, _situation(hosts, placed, {model: 0})))

    async def _look(self) -> None:
        demand = await self._queues.depth_by_model()
        hosts = await self._hosts()
        await self._forget_the_gone(hosts)
        misfits: Mapping[str, Misfit] = {}
        if any(self._needs_placing(host, demand) for host in hosts):
            misfits = (await self._decide(hosts, demand, {})).misfits
        self._hopeless = frozenset(misfits) - await self._awaited(hosts)

    async def _awaited(self, hosts: Sequence[HostReport]) -> frozenset[str]:
        """What is placed on hosts that have fallen silent, and may come back with it."""
        placed = await self._placements.read_all(max_age_s=PRESENCE_TTL_S)
        silent = set(placed) - {host.host for host in hosts}
        return frozenset(one.model for name in silent for one in placed[name].placement.models)

    def _needs_placing(self, host: HostReport, demand: Mapping[str, int]) -> bool:
        return any(report.needs_memory and report.model in demand for report in host.models)

    async def _decide(
        self,
        hosts: Sequence[HostReport],
        demand: Mapping[str, int],
        wanted: Mapping[str, str | None],
    ) -> Decision:
        """Decide and write until nobody else was first."""
        for _ in range(MAX_RACES):
            placed = await self._placements.read_all(max_age_s=0)
            asked = {**dict.fromkeys(wanted, 0), **demand}
            decision = place(_situation(hosts, placed, asked, wanted))
            if await self._write(decision, placed):
                break
        return decision

    async def _write(self, decision: Decision, placed: Mapping[str, Placed]) -> bool:
        for host, new in sorted(decision.placements.items()):
            signed = new.model_copy(
                update={"decided_by": self._decided_by, "decided_at": datetime.now(UTC)}
            )
            if not await self._placements.decide(host, signed, placed[host].revision):
                return False
            logger.info("%s: %s", host, new.reason)
        return True

    async def _forget_the_gone(self, hosts: Sequence[HostReport]) -> None:
        """Remove what was placed on hosts that have not been seen for as long as presence lasts."""
        present = {host.host for host in hosts}
        placed = await self._placements.read_all(max_age_s=PRESENCE_TTL_S)
        now_s = time.monotonic()
        self._missing_since_s = {
            host: self._missing_since_s.get(host, now_s) for host in placed if host not in present
        }
        for host, since_s in self._missing_since_s.items():
            if now_s - since_s > PRESENCE_TTL_S:
                await self._placements.forget(host, placed[host].revision)
                logger.info("%s is gone, and what was placed there is not", host)


def _has_ready(host: HostReport, model: str) -> bool:
    return any(
        report.model == model and (report.resident or not report.needs_memory)
        for report in host.models
    )


def _situation(
    hosts: Sequence[HostReport],
    placed: Mapping[str, Placed],
    demand: Mapping[str, int],
    strategies: Mapping[str, str | None] | None = None,
) -> Situation:
    return Situation(
        hosts=hosts,
        placements={host: one.placement for host, one in placed.items()},
        demand=demand,
        strategies=strategies or {},
    )
