"""Obeys placements: pulls for what is placed on this host, loads it, unloads what is not."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus
from nats.errors import Error as NatsError

from actors.executor.queue_plan import (
    fits_free_memory,
    merge_preloads,
    plan_queues,
    to_unload,
)
from actors.worker_set import Queue
from bus.connection import Connection
from bus.placement_board import ABSENT, PlacementBoard
from bus.topology import LEASE_S, ensure_consumer, executor_consumer
from contracts.errors import PromptbusError
from contracts.placement import HostPlacement, PlacedModel
from contracts.presence import HostReport
from contracts.prompt import Priority
from providers.provider_gateway import ProviderGateway

logger = logging.getLogger(__name__)

EVERY_S = 1.0
# After a change was heard of, it is looked for once more.
AGAIN_S = 0.1


class Workers(Protocol):
    """What pulls from the queues it is told to serve."""

    async def serve(self, queues: Sequence[Queue]) -> None:
        """Serve exactly ``queues`` from now on."""
        ...

    def works_on(self, consumer: str) -> bool:
        """Whether that consumer's messages are pulled or still being worked on."""
        ...


class QueueSet:
    """The queues of one executor.

    It looks at its placement every ``every_s``, after a reconnect and when it hears of a change.
    The placement is made by monitors; the executor itself only adds what it preloads when it
    starts, and writes what it knows anew where the bus has forgotten it.
    """

    def __init__(
        self,
        *,
        host: str,
        gateway: ProviderGateway,
        describe: Callable[[], Awaitable[HostReport]],
        connection: Connection,
        placements: PlacementBoard,
        max_in_flight: int,
        preload: Sequence[str] = (),
        lease_s: float = LEASE_S,
        every_s: float = EVERY_S,
    ) -> None:
        self._host = host
        self._gateway = gateway
        self._describe = describe
        self._connection = connection
        self._placements = placements
        self._max_in_flight = max_in_flight
        self._preload = preload
        self._lease_s = lease_s
        self._every_s = every_s
        self._changed = anyio.Event()
        self._has_heard = False
        self._placement = HostPlacement(host=host)
        self._made: set[tuple[str, Priority]] = set()
        self._loading: set[str] = set()
        # Unloads come before the loads that want their memory.
        self._one_change = anyio.Lock()
        self._unloading: set[str] = set()
        self._taken_away: set[str] = set()

    async def run(
        self, workers: Workers, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Obey until cancelled; ``task_status`` is told once the first queues are served.

        Raises: BusUnavailable when the bus does not answer at the start.
        """
        forget = self._connection.on_reconnect(self._look_soon)
        end = await self._placements.on_change(self._host, self._hear)
        try:
            async with anyio.create_task_group() as tasks:
                await self._begin()
                self._pin(HostPlacement(host=self._host))
                await self._serve(workers)
                self._load_placed(tasks, self._placement.models)
                task_status.started()
                while True:
                    await self._wait()
                    await self._look(workers, tasks)
        finally:
            forget()
            with anyio.CancelScope(shield=True):
                await _end_quietly(end)

    async def _begin(self) -> None:
        """Place on this host what it preloads, besides what is placed here already."""
        self._report_unknown_preloads()
        while True:
            found = await self._placements.read_one(self._host)
            kept = found.placement if found else None
            new = merge_preloads(kept, self._host, self._gateway.models(), self._preload)
            if kept is not None and kept.models == new.models:
                self._placement = kept
                return
            if await self._write(new, found.revision if found else ABSENT):
                return

    async def _look(self, workers: Workers, tasks: TaskGroup) -> None:
        """Read the placement and obey it; what fails is tried again at the next look."""
        try:
            found = await self._placements.read_one(self._host)
            if found is None:
                # The bus has forgotten it, or took this host for gone.
                await self._write(self._placement, ABSENT)
                return
            before, self._placement = self._placement, found.placement
            known = {placed.model for placed in before.models}
            now = {placed.model for placed in self._placement.models}
            self._taken_away = (self._taken_away | known) - now
            self._pin(before)
            await self._serve(workers)
        except (PromptbusError, NatsError, TimeoutError) as exc:
            logger.warning("placement of %s not followed: %s", self._host, exc)
            return
        self._unload_others(workers, tasks)
        new = [placed for placed in found.placement.models if placed.model not in known]
        self._load_placed(tasks, new)

    async def _serve(self, workers: Workers) -> None:
        plan = plan_queues(self._gateway.models(), self._placement, self._max_in_flight)
        queues = []
        for (model, priority), num_taken in plan.items():
            consumer = executor_consumer(model, priority, self._lease_s)
            if (model, priority) not in self._made:
                await ensure_consumer(self._connection.jetstream, consumer)
                self._made.add((model, priority))
            queues.append(Queue(consumer, num_taken))
        await workers.serve(queues)

    async def _write(self, new: HostPlacement, revision: int) -> bool:
        signed = new.model_copy(update={"decided_by": self._host, "decided_at": datetime.now(UTC)})
        written = await self._placements.decide(self._host, signed, revision)
        if written:
            self._placement = signed
        return written

    def _pin(self, before: HostPlacement) -> None:
        """Pin and unpin what the placement says otherwise than ``before``."""
        pinned = {placed.model for placed in self._placement.models if placed.pinned}
        were_pinned = {placed.model for placed in before.models if placed.pinned}
        for model in pinned ^ were_pinned:
            self._gateway.pin(model, pinned=model in pinned)

    def _unload_others(self, workers: Workers, tasks: TaskGroup) -> None:
        for model in to_unload(self._gateway.models(), self._taken_away):
            names = (executor_consumer(model, priority).name for priority in Priority)
            if model not in self._unloading and not any(map(workers.works_on, names)):
                self._unloading.add(model)
                tasks.start_soon(self._unload, model)

    async def _unload(self, model: str) -> None:
        try:
            async with self._one_change:
                await self._gateway.unload(model)
        except PromptbusError as exc:
            logger.error("cannot unload %s: %s (%s)", model, exc, exc.cure)
        else:
            self._taken_away.discard(model)
        finally:
            self._unloading.discard(model)

    def _load_placed(self, tasks: TaskGroup, models: Sequence[PlacedModel]) -> None:
        """Load ahead, so that the first generation finds its model on the way."""
        for placed in models:
            if placed.model not in self._loading:
                self._loading.add(placed.model)
                tasks.start_soon(self._load, placed)

    async def _load(self, placed: PlacedModel) -> None:
        try:
            async with self._one_change:
                if fits_free_memory(await self._describe(), placed.model):
                    await self._gateway.load(placed.model, placed.strategy)
        except PromptbusError as exc:
            logger.error("cannot load %s: %s (%s)", placed.model, exc, exc.cure)
        finally:
            self._loading.discard(placed.model)

    def _report_unknown_preloads(self) -> None:
        known = {report.model for report in self._gateway.models()}
        for model in self._preload:
            if model not in known:
                logger.error("cannot preload %s: no such model is served here", model)

    async def _wait(self) -> None:
        """Wait for a change or the time to look; a change just heard of may not stand yet."""
        heard_before, self._has_heard = self._has_heard, False
        with anyio.move_on_after(min(AGAIN_S, self._every_s) if heard_before else self._every_s):
            await self._changed.wait()
            self._has_heard = True
        self._changed = anyio.Event()

    def _hear(self) -> None:
        self._changed.set()

    async def _look_soon(self) -> None:
        # A server that restarted has forgotten the consumers.
        self._made.clear()
        self._hear()


async def _end_quietly(end: Callable[[], Awaitable[None]]) -> None:
    try:
        await end()
    except NatsError as exc:
        logger.debug("the placement's subscription had ended: %s", exc)
