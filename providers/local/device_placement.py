"""Where a model's weights go, from what was reserved for it; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from providers.local.manager.memory_plan import Reservation


@dataclass(frozen=True, slots=True)
class DevicePlacement:
    """One device, or several with the bytes of weights that each may take at most.

    ``main`` is where inputs go. ``max_memory`` is in the form that accelerate takes: GPUs by
    number; empty for one device.
    """

    main: str
    max_memory: Mapping[int | str, int]


def place_weights(reservation: Reservation) -> DevicePlacement | None:
    """Where the weights go; None where nothing was reserved by name, and any device may be taken.

    The KV cache lies where the weights lie, so that every device keeps its share of room for it.
    """
    devices = {name: size for name, size in reservation.devices.items() if size > 0}
    if not devices:
        return None
    # GPUs in their order first: accelerate fills them in this order, and the CPU last.
    ordered = sorted(devices, key=lambda name: (name == "cpu", _number(name)))
    if len(ordered) == 1:
        return DevicePlacement(ordered[0], {})
    total = sum(devices.values())
    return DevicePlacement(
        ordered[0],
        {
            name if name == "cpu" else _number(name): devices[name]
            - reservation.kv_bytes * devices[name] // total
            for name in ordered
        },
    )


def _number(device: str) -> int:
    _, _, number = device.partition(":")
    return int(number or 0)
