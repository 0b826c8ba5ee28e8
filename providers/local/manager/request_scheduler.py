"""Which request goes next, and which model is loaded in whose place; pure.

A request for a resident model goes before one that needs a load; then by priority, then the
oldest. A model that fits beside the others is loaded at once. Another must leave for it only when
nobody asks for it and nobody used it lately, unless somebody's ``max_wait_s`` is about to end.

Two models that take turns in the place of one, because both are asked for again and again, so swap
about once in ``max_wait_s``. That is as seldom as can be: while one of them stays, a request for
the other waits.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from contracts.prompt import Priority
from providers.local.manager.resident_key import ResidentKey

DEFAULT_MAX_WAIT_S = 30.0
# Urgent requests that may pass one that is overdue before it is its turn.
MAX_PASSED = 3
# One slot in so many is kept for interactive requests, at least one where there are three.
KEPT_SHARE = 8
MIN_SLOTS_TO_KEEP = 3
# A model that was used stays for so many times what its load took: who wants its room is made to
# wait for that, so that whoever uses it now and then finds it there.
HOLD_LOADS = 20.0
# But not for more than this part of ``max_wait_s``.
HOLD_SHARE = 1 / 8
# A request is overdue so many loads of its model before its time is up: one is for the load, the
# other for what still runs on the model that must leave.
LEAD_LOADS = 2.0

_PRIORITIES = tuple(Priority)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits since ``since_s``."""

    id: int
    key: ResidentKey
    priority: Priority
    since_s: float


@dataclass(frozen=True, slots=True)
class Served:
    """A resident model, last used at ``used_at_s``.

    ``num_passed`` urgent requests have passed an overdue one in a row.
    """

    key: ResidentKey
    slots: int
    num_running: int = 0
    loaded_at_s: float = 0.0
    used_at_s: float = 0.0
    load_s: float = 0.0
    num_passed: int = 0

    def has_slot(self, priority: Priority) -> bool:
        """Whether a request of that priority may begin now."""
        kept = 0 if priority is Priority.INTERACTIVE else num_kept(self.slots)
        return self.num_running < self.slots - kept


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision needs to know.

    ``absent`` are on their way in or out: they can neither serve nor be loaded now. While
    ``is_loading`` no other load begins. ``loads_s`` is what loads took on this host.
    """

    now_s: float
    waiting: Collection[Waiting]
    served: Mapping[ResidentKey, Served]
    absent: Collection[ResidentKey] = ()
    is_loading: bool = False
    max_wait_s: float = DEFAULT_MAX_WAIT_S
    loads_s: Mapping[ResidentKey, float] = field(default_factory=dict)

    def is_overdue(self, request: Waiting) -> bool:
        """Whether it would wait longer than anyone should unless its turn comes now."""
        return self.now_s - request.since_s >= self.max_wait_s - self._lead_s(request)

    def _lead_s(self, request: Waiting) -> float:
        """What must happen before ``request`` can begin takes about so long."""
        if request.key in self.served:
            return 0.0
        # Of one that was never loaded here nobody knows; as long as any other, to be safe.
        load_s = self.loads_s.get(request.key, max(self.loads_s.values(), default=0.0))
        return min(LEAD_LOADS * load_s, self.max_wait_s / 2)

    def waiting_for(self, key: ResidentKey) -> list[Waiting]:
        """The requests for that model."""
        return [request for request in self.waiting if request.key == key]

    def in_order(self) -> list[Waiting]:
        """The requests as they would go if all models were resident, the next one first."""
        return sorted(self.waiting, key=self._rank)

    def _rank(self, request: Waiting) -> tuple[int, int, float, int]:
        priority = _PRIORITIES.index(request.priority)
        served = self.served.get(request.key)
        may_pass = served is None or served.num_passed < MAX_PASSED
        if may_pass and request.priority is Priority.INTERACTIVE:
            return 0, 0, request.since_s, request.id
        if self.is_overdue(request):
            return 1, 0, request.since_s, request.id
        return 2, priority, request.since_s, request.id


@dataclass(frozen=True, slots=True)
class Admit:
    """Let the request begin."""

    id: int


@dataclass(frozen=True, slots=True)
class Load:
    """Load the model, once ``victims`` have been evicted; none of them is busy."""

    key: ResidentKey
    victims: tuple[ResidentKey, ...] = ()


# Who would have to leave for a model, the busy included, sparing some; None when it cannot fit.
FindRoom = Callable[[ResidentKey, Collection[ResidentKey]], tuple[ResidentKey, ...] | None]


def next_action(situation: Situation, find_room: FindRoom) -> Admit | Load | None:
    """The next thing to do; None until something changes or time passes."""
    swap = _pressing_swap(situation, find_room)
    draining = swap.victims if swap is not None else ()
    if (admitted := _admissible(situation, draining)) is not None:
        return Admit(admitted.id)
    if situation.is_loading:
        return None
    if swap is not None:
        # What is loaded meanwhile would take the room that is being made.
        return swap if _are_idle(situation, swap.victims) else None
    return _calm_load(situation, find_room)


def passes_overdue(situation: Situation, admitted: Waiting) -> bool:
    """Whether an overdue request of lower priority waits for the same model."""
    return admitted.priority is Priority.INTERACTIVE and any(
        situation.is_overdue(request) and request.priority is not Priority.INTERACTIVE
        for request in situation.waiting_for(admitted.key)
    )


def num_kept(slots: int) -> int:
    """Slots that only interactive requests take."""
    if slots < MIN_SLOTS_TO_KEEP:
        return 0
    return max(1, slots // KEPT_SHARE)


def _admissible(situation: Situation, draining: Collection[ResidentKey]) -> Waiting | None:
    for request in situation.in_order():
        served = situation.served.get(request.key)
        if served is None or request.key in draining or request.key in situation.absent:
            continue
        if served.has_slot(request.priority):
            return request
    return None


def _calm_load(situation: Situation, find_room: FindRoom) -> Load | None:
    wanted = {request.key for request in situation.waiting}
    staying = [
        served.key
        for served in situation.served.values()
        if served.num_running or served.key in wanted
    ]
    for request in _loadable(situation, situation.in_order()):
        victims = find_room(request.key, staying)
        if victims is None or not _are_idle(situation, victims):
            continue
        # One that was used lately is not spared for another that was used later: it is waited for.
        if not any(_is_held(situation, situation.served[key]) for key in victims):
            return Load(request.key, victims)
    return None


def _are_idle(situation: Situation, keys: Iterable[ResidentKey]) -> bool:
    """Whether they could leave now; who is leaving already is waited for."""
    found = (situation.served.get(key) for key in keys)
    return all(served is not None and served.num_running == 0 for served in found)


def _pressing_swap(situation: Situation, find_room: FindRoom) -> Load | None:
    """The load that may no longer wait until its victims have nothing to do."""
    if situation.is_loading:
        return None
    pressing = sorted(
        (request for request in situation.waiting if _presses(situation, request)),
        key=lambda request: (not situation.is_overdue(request), request.since_s, request.id),
    )
    for request in _loadable(situation, pressing):
        victims = find_room(request.key, _protected_from(situation, request))
        if victims is not None:
            return Load(request.key, victims)
    return None


def _presses(situation: Situation, request: Waiting) -> bool:
    return request.priority is Priority.INTERACTIVE or situation.is_overdue(request)


def _loadable(situation: Situation, requests: Iterable[Waiting]) -> Iterable[Waiting]:
    """The first request for each model that is neither here nor on its way."""
    seen = {*situation.served, *situation.absent}
    for request in requests:
        if request.key not in seen:
            seen.add(request.key)
            yield request


def _protected_from(situation: Situation, request: Waiting) -> list[ResidentKey]:
    """The models that need not leave for ``request`` yet."""
    return [
        served.key
        for served in situation.served.values()
        if _is_protected(situation, served, request)
    ]


def _is_protected(situation: Situation, served: Served, request: Waiting) -> bool:
    waiting = situation.waiting_for(served.key)
    if situation.is_overdue(request):
        # Where many press at once, models take turns; else each request would cost two loads.
        return _has_turn(situation, served) and any(_presses(situation, one) for one in waiting)
    is_as_urgent = any(other.priority is Priority.INTERACTIVE for other in waiting)
    return is_as_urgent or _has_turn(situation, served)


def _has_turn(situation: Situation, served: Served) -> bool:
    turn_s = max(situation.max_wait_s / 2, served.load_s)
    return situation.now_s - served.loaded_at_s < turn_s


def _is_held(situation: Situation, served: Served) -> bool:
    hold_s = min(HOLD_LOADS * served.load_s, HOLD_SHARE * situation.max_wait_s)
    return situation.now_s - max(served.loaded_at_s, served.used_at_s) < hold_s
