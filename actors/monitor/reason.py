"""One sentence that says why a model was chosen, with figures; pure."""

from collections.abc import Sequence
from typing import Final

from actors.monitor.offer import Offer, needed_bytes, roomiest
from actors.monitor.ranking import is_good_at
from contracts.presence import DeviceReport, ModelReport
from contracts.task import DecideResources

_KIB: Final = 1024
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")


def explain(task: DecideResources, chosen: Offer, ranked: Sequence[Offer]) -> str:
    """Why ``chosen`` is the first of ``ranked``."""
    if task.model is not None:
        return f"{chosen.key} was asked for; {_where(chosen)}{_free(chosen)}"
    parts = [f"{chosen.key} {_where(chosen)}"]
    if is_good_at(chosen, task):
        parts.append(f" and good at {task.task_type}")
    passed_over = _passed_over(task, chosen, ranked)
    if passed_over is not None:
        parts.append(
            f"; rank {chosen.model.rank} against {passed_over.model.rank} of the resident "
            f"{passed_over.key} is worth the load for a task of {task.difficulty} difficulty"
        )
    parts.append(_free(chosen))
    return "".join(parts)


def why_none_fits(offers: Sequence[Offer]) -> str:
    """What is missing, said of the smallest model and the roomiest device."""
    sized = [offer.model for offer in offers if needed_bytes(offer.model) is not None]
    if not sized:
        return "no model of known size is served, and none is resident"
    smallest = min(sized, key=lambda model: (needed_bytes(model) or 0, model.model))
    devices = [device for offer in offers for device in offer.host.devices]
    most = max((device.free_bytes for device in devices), default=0)
    return f"no model fits: {_size_of(smallest)}, and at most {format_bytes(most)} are free"


def format_bytes(num_bytes: int) -> str:
    """``18.2 GiB``."""
    size = num_bytes / _KIB
    for unit in _UNITS:
        if size < _KIB or unit == _UNITS[-1]:
            break
        size /= _KIB
    return f"{size:.1f} {unit}"


def _where(offer: Offer) -> str:
    host = offer.host.host
    if offer.model.source == "remote":
        return f"is served remotely through {host}"
    if offer.model.resident:
        return f"is resident on {host}"
    if offer.model.loading is not None:
        return f"is loading on {host} ({offer.model.loading:.0%})"
    needed = needed_bytes(offer.model)
    if needed is None:
        return f"is to be loaded on {host}"
    if offer.device is None:
        return f"needs {format_bytes(needed)} on {host}, where others must leave first"
    return f"needs {format_bytes(needed)} and fits {offer.device.name} of {host}"


def _free(offer: Offer) -> str:
    device: DeviceReport | None = offer.device or roomiest(offer.host.devices)
    if device is None or offer.model.source == "remote":
        return ""
    return f"; {format_bytes(device.free_bytes)} free"


def _passed_over(task: DecideResources, chosen: Offer, ranked: Sequence[Offer]) -> Offer | None:
    """The best resident model, where one not resident was preferred for its rank."""
    if chosen.is_held:
        return None
    good = is_good_at(chosen, task)
    return next(
        (
            offer
            for offer in ranked
            if offer.is_resident(task.strategy)
            and is_good_at(offer, task) is good
            and offer.key != chosen.key
            and offer.model.rank < chosen.model.rank
        ),
        None,
    )


def _size_of(model: ModelReport) -> str:
    return f"the smallest, {model.model}, needs {format_bytes(needed_bytes(model) or 0)}"
