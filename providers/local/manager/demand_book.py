"""What each model will ask for on this host: estimated once, corrected by what was measured."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from contracts.errors import DoesNotFit
from providers.local.hub_cache import find_on_disk
from providers.local.manager.measured_memory import MeasuredMemory
from providers.local.manager.memory_estimate import MemoryEstimate, estimate_memory
from providers.local.manager.memory_ledger import CPU, MemoryLedger
from providers.local.manager.memory_plan import Demand, Plan, Shortfall
from providers.local.manager.resident_key import ResidentKey, resident_key
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

logger = logging.getLogger(__name__)


class DemandBook:
    """Demands by resident key, with as large a KV cache as this host has memory for.

    ``kv_tokens`` bounds that cache; None leaves it to the size of the memory.
    """

    def __init__(
        self, ledger: MemoryLedger, measured: MeasuredMemory, *, kv_tokens: int | None
    ) -> None:
        self._ledger = ledger
        self._measured = measured
        self._kv_tokens = kv_tokens
        self._estimates: dict[ResidentKey, MemoryEstimate] = {}
        self._preparing: dict[ResidentKey, asyncio.Task[None]] = {}

    def preparing(self) -> tuple[ResidentKey, ...]:
        """The models whose files are being looked at."""
        return tuple(self._preparing)

    async def prepare(self, entry: ModelEntry, strategy: Strategy) -> None:
        """Estimate what the model takes, unless that is known.

        Raises: DoesNotFit where no device could hold it even alone.
        """
        key = resident_key(entry, strategy)
        if key not in self._estimates:
            if key not in self._preparing:
                task = asyncio.create_task(self._estimate(key, entry, strategy))
                task.add_done_callback(lambda _: self._preparing.pop(key, None))
                self._preparing[key] = task
            await asyncio.shield(self._preparing[key])
        self.demand(key)

    def demand(self, key: ResidentKey) -> Demand:
        """What a prepared model asks for: what fits an accelerator before what fits the CPU.

        Raises: DoesNotFit.
        """
        demands = self._corrected(key)
        plans = [(demand, self._ledger.plan_empty(demand)) for demand in demands]
        fitting = [(demand, plan) for demand, plan in plans if isinstance(plan, Plan)]
        for demand, plan in fitting:
            if CPU not in plan.reservation.devices:
                return demand
        if fitting:
            return fitting[0][0]
        smallest, shortfall = plans[-1]
        raise DoesNotFit(
            model=key[0], needed_bytes=smallest.total_bytes, shortfalls=tuple(_words(shortfall))
        )

    def size_bytes(self, entry: ModelEntry, strategy: Strategy) -> int | None:
        """All the memory that the model will take here; None where nobody can tell.

        Reads headers the first time, and never imports torch.
        """
        key = resident_key(entry, strategy)
        if key not in self._estimates:
            self._estimates[key] = estimate_memory(entry, strategy, on_gpu=self._has_gpu())
        try:
            demand = self.demand(key)
        except DoesNotFit as exc:
            return exc.needed_bytes
        return demand.total_bytes if demand.weights_bytes else None

    def forget(self, key: ResidentKey) -> None:
        """Estimate ``key`` anew the next time: its files may have changed."""
        self._estimates.pop(key, None)

    def _corrected(self, key: ResidentKey) -> list[Demand]:
        largest = max(self._ledger.budgets.values(), default=0)
        demands = self._estimates[key].demands(largest, self._kv_tokens)
        return [self._measured.correct(key, demand) for demand in demands]

    async def _estimate(self, key: ResidentKey, entry: ModelEntry, strategy: Strategy) -> None:
        self._estimates[key] = await asyncio.to_thread(
            _estimate_from_all, entry, strategy, on_gpu=self._has_gpu()
        )

    def _has_gpu(self) -> bool:
        return any(name != CPU for name in self._ledger.budgets)


def _estimate_from_all(entry: ModelEntry, strategy: Strategy, *, on_gpu: bool) -> MemoryEstimate:
    estimate = estimate_memory(entry, strategy, on_gpu=on_gpu)
    if find_on_disk(entry) is not None or Path(entry.source).is_absolute():
        return estimate
    # Here and not above, because it imports torch; the load would do so next.
    from providers.local.manager.meta_estimate import estimate_from_config  # noqa: PLC0415

    try:
        return estimate_from_config(entry)
    except (OSError, ValueError) as exc:
        # The load says what is wrong, or fetches it; then what it took is measured.
        logger.info("no config of %s to estimate its size from: %s", entry.key, exc)
        return estimate


def _words(found: Plan | Shortfall) -> Iterable[str]:
    if isinstance(found, Shortfall):
        for name, size in found.missing_bytes.items():
            yield f"{name} lacks {size / (1 << 20):.1f} MiB"
