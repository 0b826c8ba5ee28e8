"""What a chaos run does, decided beforehand by its seed alone; pure."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, product
from typing import Final

# So that a zombie is one: it sleeps for longer than the lease on what it holds.
LEASE_S = 3.0
_FREEZE_S = (LEASE_S + 1, LEASE_S + 3)
# One fault after the other: a process that is killed takes a second of a core to be back.
FAULT_EVERY_S = 1.5
RUNS_PER_S = 8.0
# How long a process is left alone once its fault is over. A cluster takes longer to be whole: its
# elections take up to nine seconds, and the server that was away catches up.
_BACK_S = 3.0
_SERVER_BACK_S = 15.0


class Action(StrEnum):
    """What is done to a process."""

    KILL = "kill"
    FREEZE = "freeze"
    RESTART = "restart"


class Part(StrEnum):
    """A part of the system; each has processes ``<part>-1``, ``<part>-2``, …"""

    COORDINATOR = "coordinator"
    EXECUTOR = "executor"
    TEAM = "team"
    API = "api"
    NATS = "nats"


# A server that falls stops everybody for seconds, so it does rarely, as it would.
_WEIGHTS: Final = {
    Part.COORDINATOR: 38,
    Part.EXECUTOR: 30,
    Part.TEAM: 16,
    Part.API: 12,
    Part.NATS: 4,
}
_ACTION_WEIGHTS: Final = {Action.KILL: 60, Action.FREEZE: 25, Action.RESTART: 15}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that happens to one process, ``at_s`` after the beginning."""

    at_s: float
    action: Action
    part: Part
    target: str
    lasts_s: float = 0.0

    @property
    def free_again_s(self) -> float:
        """When the process may have its next fault."""
        back_s = _SERVER_BACK_S if self.part is Part.NATS else _BACK_S
        return self.at_s + self.lasts_s + back_s


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """The size of a chaos run; the same plan has the same faults."""

    num_runs: int
    num_faults: int
    seed: int
    num_nodes: int = 3
    control: bool = False

    @property
    def duration_s(self) -> float:
        """How long prompts are submitted."""
        return max(self.num_runs / RUNS_PER_S, self.num_faults * FAULT_EVERY_S, 1.0)

    def size_of(self, part: Part) -> int:
        """How many processes of ``part`` there are."""
        return {Part.NATS: self.num_nodes, Part.API: 1}.get(part, 2)

    def faults(self) -> tuple[Fault, ...]:
        """All faults in order: each action on each part first, as far as there are so many."""
        rng = random.Random(self.seed)  # noqa: S311 - repeatable, keeps no secret
        gap_s = self.duration_s / (self.num_faults + 1)
        wishes = list(islice(_wishes(rng), self.num_faults))
        free_s: dict[str, float] = defaultdict(float)
        return tuple(
            self._fault(rng, gap_s * (number + rng.uniform(0.6, 1.4)), wishes, free_s)
            for number in range(self.num_faults)
        )

    def _fault(
        self,
        rng: random.Random,
        at_s: float,
        wishes: list[tuple[Part, Action]],
        free_s: dict[str, float],
    ) -> Fault:
        """The first wish whose part has a process to spare; the others wait for theirs."""
        possible = (wish for wish in wishes if self._spare(wish[0], at_s, free_s))
        wish = next(possible, None)
        if wish is not None:
            wishes.remove(wish)
        part, action = wish or (Part.EXECUTOR, Action.KILL)
        names = self._spare(part, at_s, free_s) or self._names(part)
        lasts_s = rng.uniform(*_FREEZE_S) if action is Action.FREEZE else 0.0
        fault = Fault(at_s, action, part, rng.choice(names), lasts_s)
        free_s[fault.target] = fault.free_again_s
        return fault

    def _spare(self, part: Part, at_s: float, free_s: dict[str, float]) -> list[str]:
        """The processes of ``part`` that are well; of servers all must be, so that most are."""
        names = self._names(part)
        spare = [name for name in names if free_s[name] <= at_s]
        return [] if part is Part.NATS and len(spare) < len(names) else spare

    def _names(self, part: Part) -> list[str]:
        return [f"{part}-{number + 1}" for number in range(self.size_of(part))]


def _wishes(rng: random.Random) -> Iterator[tuple[Part, Action]]:
    every = list(product(Part, Action))
    rng.shuffle(every)
    yield from every
    while True:
        (part,) = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        (action,) = rng.choices(list(_ACTION_WEIGHTS), list(_ACTION_WEIGHTS.values()))
        yield part, action
