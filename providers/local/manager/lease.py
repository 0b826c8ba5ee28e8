"""A request that waits for a model, and the hold on it that it gets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from providers.local.engine import Engine
from providers.local.manager.request_scheduler import Waiting
from providers.local.manager.residency import Resident
from providers.local.manager.resident_key import ResidentKey
from providers.provider import OnProgress, OnWait
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy


class Lease:
    """A slot of a resident model, held until :meth:`release`.

    ``cache_hit``: the model was resident when it was asked for. ``load_time_ms`` is the part of
    the wait in which it was loaded, ``queue_time_ms`` the rest.
    """

    def __init__(
        self,
        resident: Resident,
        *,
        cache_hit: bool,
        load_time_ms: float,
        queue_time_ms: float,
        on_release: Callable[[bool], None],
    ) -> None:
        self.resident = resident
        self.cache_hit = cache_hit
        self.load_time_ms = load_time_ms
        self.queue_time_ms = queue_time_ms
        self._on_release: Callable[[bool], None] | None = on_release

    @property
    def engine(self) -> Engine:
        """What generates in the slot."""
        return self.resident.engine

    def release(self, *, has_finished: bool = False) -> None:
        """Give the slot back; later calls do nothing.

        ``has_finished`` tells that a whole generation was done with it, so that the time it took
        counts for the estimates of others.
        """
        if self._on_release is not None:
            on_release, self._on_release = self._on_release, None
            on_release(has_finished)


@dataclass(slots=True)
class Waiter:
    """A request in the queue; ``load_s`` of its wait its model was being loaded."""

    request: Waiting
    entry: ModelEntry
    strategy: Strategy
    lease: "asyncio.Future[Lease]"
    cache_hit: bool
    on_wait: OnWait | None
    on_progress: OnProgress | None
    load_s: float = 0.0

    @property
    def key(self) -> ResidentKey:
        """The model it waits for."""
        return self.request.key
