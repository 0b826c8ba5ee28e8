"""Why a request waits, in one sentence, from what is known of its place; pure."""

from dataclasses import dataclass

from contracts.waiting import WaitCause, WaitNote


@dataclass(frozen=True, slots=True)
class LoadUnderWay:
    """The one load that runs on this host."""

    model: str
    fraction: float
    read_for_s: float = 0.0
    evicting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands.

    ``position`` counts the requests for its model that go before it, ``num_running`` those that
    run now, ``slots`` how many may (0: the model is not resident). ``must_leave`` are the models
    whose memory it needs; with ``is_blocked`` they never leave by themselves, being pinned.
    """

    model: str
    waited_s: float
    position: int
    num_running: int = 0
    slots: int = 0
    generation_s: float | None = None
    load: LoadUnderWay | None = None
    must_leave: tuple[str, ...] = ()
    is_blocked: bool = False


def write_note(standing: Standing, host: str | None) -> WaitNote:
    """The note on ``standing``."""
    cause, message = _cause(standing)
    is_loading = cause is WaitCause.LOADING and standing.load is not None
    return WaitNote(
        model=standing.model,
        cause=cause,
        message=message,
        host=host,
        position=standing.position,
        progress=standing.load.fraction if is_loading and standing.load else None,
        estimate_s=_estimate_s(standing),
        waited_s=max(0.0, standing.waited_s),
    )


def _cause(standing: Standing) -> tuple[WaitCause, str]:
    load = standing.load
    if load is not None and load.model == standing.model:
        if load.evicting:
            return WaitCause.EVICTING, f"evicting {', '.join(load.evicting)} first"
        read = f", {round(100 * load.fraction)} % read" if load.fraction else ""
        return WaitCause.LOADING, f"loading {load.model}{read}"
    if standing.slots:
        return WaitCause.QUEUED, _queue_sentence(standing)
    if load is not None:
        return WaitCause.QUEUED, f"{load.model} is loaded first"
    names = ", ".join(standing.must_leave)
    if standing.is_blocked:
        return WaitCause.NO_ROOM, f"memory is held by pinned models: {names}"
    if standing.must_leave:
        return WaitCause.NO_ROOM, f"waiting for the memory of {names}"
    return WaitCause.QUEUED, "next to be loaded"


def _queue_sentence(standing: Standing) -> str:
    if standing.position == 1:
        return "behind 1 other"
    if standing.position:
        return f"behind {standing.position} others"
    return "next, once a generation has finished"


def _estimate_s(standing: Standing) -> float | None:
    load_s = _load_left_s(standing)
    if load_s is None:
        return None
    if standing.generation_s is None:
        return load_s or None
    if not standing.slots:
        return load_s
    num_before = standing.position + (1 if standing.num_running >= standing.slots else 0)
    return load_s + standing.generation_s * num_before / standing.slots


def _load_left_s(standing: Standing) -> float | None:
    """Seconds until its model is resident; None where nobody knows."""
    if standing.slots:
        return 0.0
    load = standing.load
    if load is None or load.model != standing.model or load.evicting or load.fraction <= 0.0:
        return None
    return load.read_for_s * (1.0 - load.fraction) / load.fraction
