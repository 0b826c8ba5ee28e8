"""A host in simulated time: the scheduler against a real ledger."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from contracts.prompt import Priority
from providers.local.manager.memory_ledger import Demand, MemoryLedger, Plan
from providers.local.manager.request_scheduler import (
    Admit,
    Load,
    Served,
    Situation,
    Waiting,
    next_action,
    passes_overdue,
)
from providers.local.manager.resident_key import ResidentKey

A, B, C = (("a", "x"), ("b", "x"), ("c", "x"))


@dataclass
class Arrival:
    """A request at that time, and how long its generation takes."""

    at_s: float
    key: ResidentKey
    priority: Priority = Priority.NORMAL
    takes_s: float = 0.1


@dataclass
class Simulation:
    """A host in simulated time: one model per 100 bytes, ``slots`` generations each."""

    budget: int
    arrivals: list[Arrival]
    slots: int = 1
    load_s: float = 1.0
    max_wait_s: float = 30.0
    now_s: float = 0.0
    served: dict[ResidentKey, Served] = field(default_factory=dict)
    queue: dict[int, Waiting] = field(default_factory=dict)
    ends: list[tuple[float, int]] = field(default_factory=list)
    loading: tuple[float, ResidentKey] | None = None
    waits: dict[int, float] = field(default_factory=dict)
    loads_s: dict[ResidentKey, float] = field(default_factory=dict)
    num_swaps: int = 0

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger({"cpu": self.budget})
        self.arrivals.sort(key=lambda arrival: arrival.at_s)

    def find_room(
        self, _key: ResidentKey, spare: Collection[ResidentKey]
    ) -> tuple[ResidentKey, ...] | None:
        plan = self.ledger.plan(Demand(100), spare=spare, as_if_idle=True)
        return plan.victims if isinstance(plan, Plan) else None

    def run(self) -> None:
        """Until everything was served; time goes in steps of a tenth of a second."""
        coming = list(enumerate(self.arrivals))
        while coming or self.queue or self.ends:
            while coming and coming[0][1].at_s <= self.now_s:
                number, arrival = coming.pop(0)
                self.queue[number] = Waiting(number, arrival.key, arrival.priority, self.now_s)
            self.end_what_is_due()
            while (action := next_action(self.look(), self.find_room)) is not None:
                self.do(action)
            self.now_s += 0.1
            assert self.now_s < 10_000

    def look(self) -> Situation:
        absent = (self.loading[1],) if self.loading else ()
        return Situation(
            self.now_s,
            tuple(self.queue.values()),
            self.served,
            absent,
            self.loading is not None,
            self.max_wait_s,
            self.loads_s,
        )

    def end_what_is_due(self) -> None:
        for end in [end for end in self.ends if end[0] <= self.now_s]:
            self.ends.remove(end)
            key = self.arrivals[end[1]].key
            self.ledger.leave(key)
            num_running = self.served[key].num_running - 1
            self.change(key, num_running=num_running, used_at_s=self.now_s)
        if self.loading is not None and self.loading[0] <= self.now_s:
            key = self.loading[1]
            self.ledger.commit(key, {"cpu": 100})
            self.served[key] = Served(key, self.slots, loaded_at_s=self.now_s, load_s=self.load_s)
            self.loads_s[key] = self.load_s
            self.loading = None

    def change(self, key: ResidentKey, **fields: float) -> None:
        self.served[key] = replace(self.served[key], **fields)  # type: ignore[arg-type]

    def do(self, action: Admit | Load) -> None:
        if isinstance(action, Admit):
            self.admit(action.id)
            return
        for victim in action.victims:
            assert self.served.pop(victim).num_running == 0
            self.ledger.release(victim)
            self.num_swaps += 1
        plan = self.ledger.plan(Demand(100))
        assert isinstance(plan, Plan)
        assert not plan.victims
        self.ledger.reserve(action.key, plan.reservation)
        self.loading = (self.now_s + self.load_s, action.key)

    def admit(self, number: int) -> None:
        look, request = self.look(), self.queue[number]
        served = self.served[request.key]
        num_passed = served.num_passed + 1 if passes_overdue(look, request) else 0
        del self.queue[number]
        self.change(request.key, num_running=served.num_running + 1, num_passed=num_passed)
        self.ledger.enter(request.key)
        self.waits[number] = self.now_s - request.since_s
        self.ends.append((self.now_s + self.arrivals[number].takes_s, number))

    def longest_wait_s(self) -> float:
        return max(self.waits.values())
