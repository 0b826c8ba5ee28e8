"""Why a generation that no executor has taken yet waits; pure."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.placement import HostPlacement
from contracts.presence import HostReport, ModelReport
from contracts.prompt import Priority
from contracts.waiting import WaitCause, WaitNote

# The order in which executors take work; who comes first waits for none of the others.
_ORDER = (Priority.INTERACTIVE, Priority.NORMAL, Priority.BATCH)


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue of one model and priority.

    ``num_pending`` lie in it, ``num_taken`` were handed out and are not done; all up to sequence
    ``delivered`` of the stream were handed out; ``num_pulling`` requests wait for more.
    """

    num_pending: int = 0
    num_taken: int = 0
    delivered: int = 0
    num_pulling: int = 0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What there is to know about one model's queues and the machines that could serve them.

    ``last_sequence`` is that of the stream in which all queues lie.
    """

    model: str
    queues: Mapping[Priority, QueueState] = field(default_factory=dict)
    last_sequence: int = 0
    hosts: tuple[HostReport, ...] = ()
    placements: tuple[HostPlacement, ...] = ()

    def queue(self, priority: Priority) -> QueueState:
        """The queue of that priority."""
        return self.queues.get(priority, QueueState())


@dataclass(frozen=True, slots=True)
class WaitingAsk:
    """A generation that was asked for ``waited_s`` ago.

    ``sequence`` is its place in the stream, once that is known. Without ``is_placed`` it is not
    in any queue yet: first a monitor must choose its model.
    """

    priority: Priority
    waited_s: float = 0.0
    sequence: int | None = None
    is_placed: bool = True


def explain(ask: WaitingAsk, facts: ModelFacts, known: Sequence[int] = ()) -> WaitNote | None:
    """Why ``ask`` waits; None where an executor has it, and tells itself, and where nobody knows.

    ``known`` are the sequences, ascending, that are known to lie in the same queue.
    """
    if not ask.is_placed:
        return None if facts.hosts else _without_host(ask, facts, known)
    holders = _holders(facts)
    is_pulled = any(queue.num_pulling for queue in facts.queues.values())
    if not holders and not is_pulled:
        return _without_host(ask, facts, known)
    if _may_be_taken(ask, facts.queue(ask.priority)):
        return None
    loading = [(model, host) for host, model in holders if model.loading is not None]
    if loading and not any(model.resident for _, model in holders):
        return _while_loading(ask, facts, known, loading)
    return _queued(ask, facts, known, [model for _, model in holders])


def num_ahead(
    ask: WaitingAsk, facts: ModelFacts, known: Sequence[int] = (), *, num_slots: int = 0
) -> int:
    """How many generations come before ``ask``, those in ``num_slots`` slots not counted."""
    higher = _ORDER[: _ORDER.index(ask.priority)]
    before = sum(facts.queue(priority).num_pending for priority in higher)
    num_taken = sum(queue.num_taken for queue in facts.queues.values())
    own = _ahead_in_queue(ask.sequence, facts.queue(ask.priority), facts.last_sequence, known)
    return before + own + max(0, num_taken - num_slots)


def _ahead_in_queue(
    sequence: int | None, queue: QueueState, last_sequence: int, known: Sequence[int]
) -> int:
    """Those ahead in the same queue.

    Exact where all that lie in it are known; else the unknown ones are taken to lie evenly between
    what was delivered and the stream's end.
    """
    others = max(0, queue.num_pending - 1)
    if sequence is None:
        return others
    begin = bisect_right(known, queue.delivered)
    rank = max(0, bisect_left(known, sequence) - begin)
    num_unknown = max(0, queue.num_pending - (len(known) - begin))
    span = max(1, last_sequence - queue.delivered - 1)
    fraction = min(1.0, max(0.0, (sequence - queue.delivered - 1) / span))
    return min(others, rank + round(num_unknown * fraction))


def _may_be_taken(ask: WaitingAsk, queue: QueueState) -> bool:
    if ask.sequence is not None:
        return queue.delivered >= ask.sequence or not queue.num_pending
    return queue.num_taken > 0 or not queue.num_pending


def _holders(facts: ModelFacts) -> list[tuple[HostReport, ModelReport]]:
    """The machines that pull work for the model."""
    placed = {placement.host: placement for placement in facts.placements}
    reports = ((host, _report(host, facts.model)) for host in facts.hosts)
    return [
        (host, model)
        for host, model in reports
        if model is not None and _holds(placed.get(host.host), model)
    ]


def _holds(placement: HostPlacement | None, model: ModelReport) -> bool:
    """Whether a host with that placement serves ``model``; one that has none serves what it has."""
    return placement is None or not model.needs_memory or placement.find(model.model) is not None


def _report(host: HostReport, model: str) -> ModelReport | None:
    return next((report for report in host.models if report.model == model), None)


def _queued(
    ask: WaitingAsk, facts: ModelFacts, known: Sequence[int], models: Sequence[ModelReport]
) -> WaitNote:
    num_slots = sum(model.slots for model in models)
    position = num_ahead(ask, facts, known, num_slots=num_slots)
    num_taken = sum(queue.num_taken for queue in facts.queues.values())
    where = f"{position} ahead in the queue for" if position else "next in the queue for"
    num_free = max(0, num_slots - num_taken)
    return _note(
        ask,
        facts,
        WaitCause.QUEUED,
        f"{where} {facts.model}",
        position=position,
        estimate_s=_time_to_slot_s(position + 1 - num_free, num_slots, _slowest_s(models)),
    )


def _time_to_slot_s(num_rounds: int, num_slots: int, generation_s: float | None) -> float | None:
    """Until that many of ``num_slots`` slots have become free, if each is so evenly."""
    if generation_s is None or not num_slots:
        return None
    return round(max(0, num_rounds) * generation_s / num_slots, 1)


def _slowest_s(models: Iterable[ModelReport]) -> float | None:
    return max((model.generation_s for model in models if model.generation_s), default=None)


def _while_loading(
    ask: WaitingAsk,
    facts: ModelFacts,
    known: Sequence[int],
    loading: Sequence[tuple[ModelReport, HostReport]],
) -> WaitNote:
    model, host = max(loading, key=lambda pair: pair[0].loading or 0.0)
    progress = model.loading or 0.0
    return _note(
        ask,
        facts,
        WaitCause.LOADING,
        f"loading {facts.model} on {host.host}, {math.floor(progress * 100)} %",
        host=host.host,
        position=num_ahead(ask, facts, known, num_slots=model.slots),
        progress=progress,
    )


def _without_host(ask: WaitingAsk, facts: ModelFacts, known: Sequence[int]) -> WaitNote:
    message, host, estimate_s = _no_host_reason(facts)
    return _note(
        ask,
        facts,
        WaitCause.NO_HOST,
        message,
        host=host,
        position=num_ahead(ask, facts, known) if ask.is_placed else None,
        estimate_s=estimate_s,
    )


def _no_host_reason(facts: ModelFacts) -> tuple[str, str | None, float | None]:
    """The sentence, the machine that could help, and when that one is free."""
    if not facts.hosts:
        return "no executor is present", None, None
    start = f"no executor holds {facts.model}"
    knowing = [host for host in facts.hosts if _report(host, facts.model) is not None]
    if not knowing:
        return f"{start} or knows it; present: {_names(facts.hosts)}", None, None
    able = [host for host in knowing if _is_available(host, facts.model)]
    if not able:
        return f"{start}; it is not available on {_names(knowing)}", None, None
    busy_s, name = min((_busy_s(host), host.host) for host in able)
    if not busy_s:
        return f"{start}; {name} could", name, None
    if math.isinf(busy_s):
        return f"{start}; {name} could, but is busy", name, None
    message = f"{start}; {name} could, busy until about {busy_s:.0f} s from now"
    return message, name, round(busy_s, 1)


def _is_available(host: HostReport, model: str) -> bool:
    report = _report(host, model)
    return report is not None and report.available


def _busy_s(host: HostReport) -> float:
    """How long the work in hand keeps that machine; infinite where nobody knows."""
    return max((_work_s(model) for model in host.models), default=0.0)


def _work_s(model: ModelReport) -> float:
    if not model.num_running and not model.num_waiting:
        return 0.0
    if model.generation_s is None:
        return math.inf
    return model.generation_s * (1 + math.ceil(model.num_waiting / max(1, model.slots)))


def _names(hosts: Iterable[HostReport]) -> str:
    return ", ".join(sorted(host.host for host in hosts))


def _note(
    ask: WaitingAsk,
    facts: ModelFacts,
    cause: WaitCause,
    message: str,
    *,
    host: str | None = None,
    position: int | None = None,
    progress: float | None = None,
    estimate_s: float | None = None,
) -> WaitNote:
    return WaitNote(
        model=facts.model,
        cause=cause,
        message=message,
        host=host,
        position=position,
        progress=progress,
        estimate_s=estimate_s,
        waited_s=round(ask.waited_s, 1),
    )
