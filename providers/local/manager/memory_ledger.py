"""Who may hold how much memory, and who must leave for a newcomer; knows numbers only."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from providers.local.manager.memory_plan import Demand, DeviceMemory, Plan, Reservation, Shortfall
from providers.local.manager.placing import Gone, Placing, fewest
from providers.local.manager.resident_key import ResidentKey

__all__ = ["CPU", "Demand", "DeviceMemory", "MemoryLedger", "Plan", "Reservation", "Shortfall"]

CPU = "cpu"


@dataclass(slots=True)
class _Holding:
    reservation: Reservation
    pinned: bool
    loading: bool = True
    num_users: int = 0

    def may_leave(self, *, as_if_idle: bool) -> bool:
        return not (self.pinned or self.loading) and (as_if_idle or self.num_users == 0)


class MemoryLedger:
    """Budgets in bytes per device, by torch's names (``cuda:0``, ``cpu``), and what is held.

    A model that loads, is busy or is pinned never becomes a victim; among the others the least
    recently used goes first. What is held never exceeds a budget, unless the budget was lowered
    below it.
    """

    def __init__(self, budgets: Mapping[str, int]) -> None:
        self._budgets: dict[str, int] = {}
        # Least recently used first.
        self._held: dict[ResidentKey, _Holding] = {}
        self.set_budgets(budgets)

    @property
    def budgets(self) -> Mapping[str, int]:
        """What models may use of each device."""
        return dict(self._budgets)

    def set_budgets(self, budgets: Mapping[str, int]) -> None:
        """Other budgets; see :meth:`overdrawn` for who should leave where they are lower."""
        self._budgets = {name: max(0, size) for name, size in budgets.items()}

    def plan(
        self, demand: Demand, *, spare: Collection[ResidentKey] = (), as_if_idle: bool = False
    ) -> Plan | Shortfall:
        """Where ``demand`` fits, and who must leave for it, sparing ``spare``.

        With ``as_if_idle`` the busy count as idle: what could be done once they have finished.
        The CPU takes only what would not fit the GPUs if all but the pinned had left them,
        because a wait for a GPU is shorter than a generation without one.
        """
        leaving = self._may_leave(spare, as_if_idle=as_if_idle)
        placing = self._placing()
        gpus = tuple(name for name in self._budgets if name != CPU)
        found: Plan | None = None
        if self._fits_gpus(demand, gpus):
            found = placing.on_gpus(demand, gpus, leaving)
        elif CPU in self._budgets:
            found = placing.on_one(demand, (CPU,), leaving)
        return found or _shortfall(placing, demand.total_bytes, frozenset(leaving))

    def plan_empty(self, demand: Demand) -> Plan | Shortfall:
        """Where ``demand`` would fit if nothing at all were held."""
        return MemoryLedger(self._budgets).plan(demand)

    def reserve(self, key: ResidentKey, reservation: Reservation, *, pinned: bool = False) -> None:
        """Hold ``reservation`` for ``key``, which counts as loading until :meth:`commit`.

        Raises: ValueError when it holds something already or a budget would be exceeded.
        """
        if key in self._held:
            raise ValueError(f"{key} holds memory already")
        self._check_room(reservation.devices)
        self._held[key] = _Holding(reservation, pinned)

    def plan_growth(
        self, key: ResidentKey, measured: Mapping[str, int]
    ) -> tuple[ResidentKey, ...] | Shortfall:
        """Who must leave before ``key`` may hold ``measured`` instead of what it reserved."""
        more = self._growth(key, measured)
        placing = self._placing()
        leaving = self._may_leave((key,), as_if_idle=False)

        def fits(gone: Gone) -> bool:
            return all(size <= placing.room(name, gone) for name, size in more.items())

        victims = fewest(placing.holders(tuple(more), leaving), fits)
        if victims is not None:
            return victims
        gone = frozenset(leaving)
        return Shortfall({name: max(0, n - placing.room(name, gone)) for name, n in more.items()})

    def commit(self, key: ResidentKey, measured: Mapping[str, int]) -> None:
        """``key`` is loaded and really holds ``measured``.

        Raises: ValueError when a budget would be exceeded; ask :meth:`plan_growth` before.
        """
        self._check_room(self._growth(key, measured))
        holding = self._held[key]
        holding.reservation = Reservation(dict(measured), holding.reservation.kv_bytes)
        holding.loading = False
        self.touch(key)

    def release(self, key: ResidentKey) -> None:
        """``key`` holds nothing any more."""
        self._held.pop(key, None)

    def pin(self, key: ResidentKey, *, pinned: bool = True) -> None:
        """Whether ``key`` may never be evicted."""
        self._held[key].pinned = pinned

    def enter(self, key: ResidentKey) -> None:
        """One more generation uses ``key``."""
        self._held[key].num_users += 1
        self.touch(key)

    def leave(self, key: ResidentKey) -> None:
        """One generation less uses ``key``, which counts as used until now."""
        self._held[key].num_users -= 1
        self.touch(key)

    def touch(self, key: ResidentKey) -> None:
        """``key`` is now the most recently used."""
        self._held[key] = self._held.pop(key)

    def held(self) -> tuple[ResidentKey, ...]:
        """Everyone who holds memory, least recently used first."""
        return tuple(self._held)

    def reservation(self, key: ResidentKey) -> Reservation:
        """What ``key`` holds."""
        return self._held[key].reservation

    def num_users(self, key: ResidentKey) -> int:
        """How many generations use ``key``."""
        return self._held[key].num_users

    def is_pinned(self, key: ResidentKey) -> bool:
        """Whether ``key`` may never be evicted."""
        return self._held[key].pinned

    def evictable(self) -> tuple[ResidentKey, ...]:
        """Everyone who may leave now, least recently used first."""
        return self._may_leave((), as_if_idle=False)

    def overdrawn(self) -> tuple[ResidentKey, ...]:
        """Who of those who may leave should, because a budget was lowered below what is held."""
        placing = self._placing()
        over = [name for name in self._budgets if placing.room(name) < 0]

        def fits(gone: Gone) -> bool:
            return all(placing.room(name, gone) >= 0 for name in over)

        leaving = placing.holders(over, self.evictable())
        victims = fewest(leaving, fits)
        return leaving if victims is None else victims

    def devices(self) -> tuple[DeviceMemory, ...]:
        """The state of every device."""
        placing, leaving = self._placing(), frozenset(self.evictable())
        return tuple(
            DeviceMemory(
                name=name,
                budget_bytes=budget,
                reserved_bytes=budget - placing.room(name),
                evictable_bytes=placing.room(name, leaving) - placing.room(name),
            )
            for name, budget in self._budgets.items()
        )

    def _placing(self) -> Placing:
        held = {key: holding.reservation.devices for key, holding in self._held.items()}
        return Placing(self._budgets, held)

    def _may_leave(
        self, spare: Collection[ResidentKey], *, as_if_idle: bool
    ) -> tuple[ResidentKey, ...]:
        return tuple(
            key
            for key, holding in self._held.items()
            if key not in spare and holding.may_leave(as_if_idle=as_if_idle)
        )

    def _fits_gpus(self, demand: Demand, gpus: tuple[str, ...]) -> bool:
        gone = tuple(key for key, holding in self._held.items() if not holding.pinned)
        return self._placing().on_gpus(demand, gpus, gone) is not None

    def _growth(self, key: ResidentKey, measured: Mapping[str, int]) -> dict[str, int]:
        before = self._held[key].reservation.devices
        more = {name: size - before.get(name, 0) for name, size in measured.items()}
        return {name: size for name, size in more.items() if size > 0}

    def _check_room(self, more: Mapping[str, int]) -> None:
        placing = self._placing()
        for name, size in more.items():
            if size > 0 and size > placing.room(name):
                raise ValueError(f"{size} more bytes exceed the budget of {name}")


def _shortfall(placing: Placing, needed_bytes: int, gone: Gone) -> Shortfall:
    return Shortfall(
        {name: max(0, needed_bytes - placing.room(name, gone)) for name in placing.budgets}
    )
