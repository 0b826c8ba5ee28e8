"""Where a model goes among devices, and who has to make room; knows numbers only."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from providers.local.manager.memory_plan import Demand, Plan, Reservation
from providers.local.manager.resident_key import ResidentKey

Gone = frozenset[ResidentKey]
NOBODY: Gone = frozenset()


@dataclass(frozen=True, slots=True)
class Placing:
    """Budgets, and the bytes that each model holds of each device."""

    budgets: Mapping[str, int]
    held: Mapping[ResidentKey, Mapping[str, int]]

    def room(self, device: str, gone: Gone = NOBODY) -> int:
        """Bytes free on ``device`` once ``gone`` have left; negative where it is overdrawn."""
        held = sum(sizes.get(device, 0) for key, sizes in self.held.items() if key not in gone)
        return self.budgets.get(device, 0) - held

    def holders(
        self, devices: Collection[str], keys: Sequence[ResidentKey]
    ) -> tuple[ResidentKey, ...]:
        """Those of ``keys`` that hold anything of ``devices``."""
        return tuple(key for key in keys if any(self.held[key].get(name, 0) for name in devices))

    def on_gpus(
        self, demand: Demand, gpus: Sequence[str], leaving: Sequence[ResidentKey]
    ) -> Plan | None:
        """One GPU before several, nobody evicted before somebody."""
        return (
            self.on_one(demand, gpus, ())
            or self.on_several(demand, gpus, ())
            or self.on_one(demand, gpus, leaving)
            or self.on_several(demand, gpus, leaving)
        )

    def on_one(
        self, demand: Demand, devices: Sequence[str], leaving: Sequence[ResidentKey]
    ) -> Plan | None:
        """The device whose newest victim is the oldest; then the fewest victims, the tightest."""
        ranked: list[tuple[tuple[int, int, int], Plan]] = []
        for name in devices:
            plan = self._on_device(demand, name, leaving)
            if plan is None:
                continue
            newest = leaving.index(plan.victims[-1]) if plan.victims else -1
            left_over = self.room(name, frozenset(plan.victims)) - demand.total_bytes
            ranked.append(((newest, len(plan.victims), left_over), plan))
        return min(ranked, key=lambda entry: entry[0])[1] if ranked else None

    def on_several(
        self, demand: Demand, gpus: Sequence[str], leaving: Sequence[ResidentKey]
    ) -> Plan | None:
        """Shares of as few GPUs as hold ``demand`` together."""

        def fits(gone: Gone) -> bool:
            return bool(self.shares(demand, gpus, gone))

        victims = fewest(self.holders(gpus, leaving), fits)
        if victims is None:
            return None
        shares = self.shares(demand, gpus, frozenset(victims))
        return Plan(Reservation(shares, demand.kv_bytes), victims)

    def shares(self, demand: Demand, gpus: Sequence[str], gone: Gone) -> dict[str, int]:
        """What each GPU takes, the roomiest first; empty where they are too small together."""
        overhead = demand.workspace_bytes + demand.indivisible_bytes
        rest = demand.weights_bytes + demand.kv_bytes
        shares: dict[str, int] = {}
        for name in sorted(gpus, key=lambda gpu: self.room(gpu, gone), reverse=True):
            share = min(rest, self.room(name, gone) - overhead)
            if share <= 0:
                break
            shares[name] = share + overhead
            rest -= share
        return {} if rest > 0 else shares

    def _on_device(self, demand: Demand, name: str, leaving: Sequence[ResidentKey]) -> Plan | None:
        def fits(gone: Gone) -> bool:
            return demand.total_bytes <= self.room(name, gone)

        victims = fewest(self.holders((name,), leaving), fits)
        if victims is None:
            return None
        return Plan(Reservation({name: demand.total_bytes}, demand.kv_bytes), victims)


def fewest(
    candidates: Sequence[ResidentKey], fits: Callable[[Gone], bool]
) -> tuple[ResidentKey, ...] | None:
    """The first of ``candidates`` that suffice, without those that turn out not to matter."""
    victims: list[ResidentKey] = []
    rest = iter(candidates)
    while not fits(frozenset(victims)):
        following = next(rest, None)
        if following is None:
            return None
        victims.append(following)
    for key in reversed(tuple(victims)):
        without = [victim for victim in victims if victim != key]
        if fits(frozenset(without)):
            victims = without
    return tuple(victims)
