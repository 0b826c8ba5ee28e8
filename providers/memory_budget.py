"""How much memory models may use of each device of this machine; pure."""

import re
from collections.abc import Iterable, Mapping

from contracts.presence import DeviceReport
from providers.local.manager.memory_plan import DeviceMemory

# Of the RAM that is free at start, and of each GPU, the rest is for everything else.
CPU_SHARE = 0.8
GPU_SHARE = 0.9
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def parse_budgets(text: str) -> dict[str, int]:
    """``cpu=8GiB,cuda:0=20GiB`` as bytes by device; GB and GiB both count in powers of 1024.

    Raises: ValueError saying which part is wrong.
    """
    budgets: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, separator, size = (piece.strip() for piece in part.partition("="))
        match = _SIZE.fullmatch(size)
        if not name or not separator or match is None:
            raise ValueError(f"{part!r} is not device=size, such as cpu=8GiB or cuda:0=20GiB")
        budgets[name] = int(float(match[1]) * _UNITS[match[2].upper()])
    return budgets


def default_budgets(devices: Iterable[DeviceReport]) -> dict[str, int]:
    """What models may use where nobody says: never more than is free now."""
    budgets = {}
    for device in devices:
        if device.kind == "cpu":
            budgets[device_name(device)] = int(device.free_bytes * CPU_SHARE)
        else:
            budgets[device_name(device)] = min(
                int(device.total_bytes * GPU_SHARE), device.free_bytes
            )
    return budgets


def choose_budgets(devices: Iterable[DeviceReport], wished: Mapping[str, int]) -> dict[str, int]:
    """The defaults, with ``wished`` in place of those that it names.

    Raises: ValueError when it names a device that is not there.
    """
    budgets = default_budgets(devices)
    if unknown := wished.keys() - budgets.keys():
        raise ValueError(f"no device {min(unknown)!r} here; there is {', '.join(budgets)}")
    return {**budgets, **wished}


def with_budgets(
    devices: Iterable[DeviceReport], memory: Iterable[DeviceMemory]
) -> tuple[DeviceReport, ...]:
    """``devices`` as models see them: budgets for sizes, and what is reserved of them."""
    by_name = {device.name: device for device in memory}
    return tuple(_budgeted(device, by_name.get(device_name(device))) for device in devices)


def device_name(device: DeviceReport) -> str:
    """torch's name for the device: ``cuda:0`` of ``cuda:0 NVIDIA A100``."""
    return device.name.split(" ", maxsplit=1)[0]


def _budgeted(device: DeviceReport, memory: DeviceMemory | None) -> DeviceReport:
    if memory is None:
        return device
    return device.model_copy(
        update={
            "total_bytes": memory.budget_bytes,
            "free_bytes": memory.free_bytes,
            "evictable_bytes": memory.evictable_bytes,
        }
    )
