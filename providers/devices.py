"""What this machine has to run models on, read without torch."""

import math
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from contracts.presence import DeviceReport, HostReport, ModelReport

try:
    import pynvml
except ImportError:  # The `gpu` extra is not installed.
    pynvml = None

CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """What the process's control group may use, and uses, in bytes."""

    max_bytes: int
    used_bytes: int


class HostReader:
    """Reads memory and load of this machine; opens the GPU driver once.

    A host without NVIDIA driver, or where it fails, has no GPU as far as this goes.
    ``visible_gpus`` are those that CUDA may use, as ``CUDA_VISIBLE_DEVICES`` lists them: by number
    in the order of the bus, or by UUID; GPUs are then numbered as torch numbers them.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        cgroup_root: Path = CGROUP_ROOT,
        visible_gpus: str | None = None,
    ) -> None:
        self._host = host or socket.gethostname()
        self._cgroup_root = cgroup_root
        self._visible_gpus = visible_gpus
        self._has_driver = _open_driver()
        # psutil measures load between two calls; the first call only sets the mark.
        psutil.cpu_percent()

    def read(self, models: tuple[ModelReport, ...] = ()) -> HostReport:
        """The machine now; takes less than a millisecond without GPUs."""
        return HostReport(
            host=self._host,
            num_cpus=num_cpus(self._cgroup_root),
            cpu_percent=psutil.cpu_percent(),
            devices=(*self._gpus(), read_ram(self._cgroup_root)),
            models=models,
        )

    def close(self) -> None:
        """Let go of the GPU driver."""
        if self._has_driver:
            self._has_driver = False
            pynvml.nvmlShutdown()

    def _gpus(self) -> tuple[DeviceReport, ...]:
        if not self._has_driver:
            return ()
        try:
            handles = [
                pynvml.nvmlDeviceGetHandleByIndex(index)
                for index in range(pynvml.nvmlDeviceGetCount())
            ]
            uuids = [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
            order = order_gpus(uuids, self._visible_gpus)
            return tuple(_gpu(number, handles[index]) for number, index in enumerate(order))
        except pynvml.NVMLError:
            return ()


def read_ram(cgroup_root: Path = CGROUP_ROOT) -> DeviceReport:
    """The host's memory as device ``cpu``; the control group's share where it has less."""
    memory = psutil.virtual_memory()
    total, free = memory.total, memory.available
    limit = read_memory_limit(cgroup_root)
    if limit is not None and limit.max_bytes < total:
        total = limit.max_bytes
        free = min(free, max(0, limit.max_bytes - limit.used_bytes))
    return DeviceReport(name="cpu", kind="cpu", total_bytes=total, free_bytes=free)


def read_memory_limit(cgroup_root: Path) -> MemoryLimit | None:
    """Limit and use of the control group (version 2, else 1); None where there is no limit.

    File pages that the kernel would drop first do not count as used.
    """
    v1 = cgroup_root / "memory"
    for limit, used, stat in (
        (cgroup_root / "memory.max", cgroup_root / "memory.current", cgroup_root / "memory.stat"),
        (v1 / "memory.limit_in_bytes", v1 / "memory.usage_in_bytes", v1 / "memory.stat"),
    ):
        max_bytes, used_bytes = _number(limit), _number(used)
        if max_bytes is not None and used_bytes is not None:
            return MemoryLimit(max_bytes, max(0, used_bytes - _inactive_file_bytes(stat)))
    return None


def num_cpus(cgroup_root: Path = CGROUP_ROOT) -> int:
    """CPUs that this process may use: its affinity, and the quota of its control group."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = psutil.cpu_count() or 1
    quota, _, period = _text(cgroup_root / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        count = min(count, math.ceil(int(quota) / int(period)))
    return max(1, count)


def order_gpus(uuids: Sequence[str], visible: str | None) -> list[int]:
    """The places in ``uuids`` of those that CUDA may use, in its order; pure.

    As CUDA does it: everything after the first name that is no GPU is not visible either.
    """
    if visible is None:
        return list(range(len(uuids)))
    order: list[int] = []
    for name in (part.strip() for part in visible.split(",")):
        if name.isdigit() and int(name) < len(uuids):
            order.append(int(name))
            continue
        found = [at for at, uuid in enumerate(uuids) if name and uuid.startswith(name)]
        if len(found) != 1:
            break
        order += found
    return order


def _open_driver() -> bool:
    if pynvml is None:
        return False
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    return True


def _gpu(number: int, handle: Any) -> DeviceReport:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return DeviceReport(
        name=f"cuda:{number} {pynvml.nvmlDeviceGetName(handle)}",
        kind="cuda",
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
    )


def _inactive_file_bytes(stat: Path) -> int:
    for line in _text(stat).splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.isdigit():
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
