"""What models really took on this host, remembered from one start to the next."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from providers.local.manager.memory_ledger import CPU
from providers.local.manager.memory_plan import Demand, Reservation
from providers.local.manager.resident_key import ResidentKey

logger = logging.getLogger(__name__)

# What a first load costs whatever the model: buffers and caches of the libraries.
NOISE_BYTES = 256 << 20


class MeasuredSize(BaseModel):
    """What one model took besides its KV cache, in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    strategy: str
    size_bytes: int


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    hosts: dict[str, list[MeasuredSize]] = {}


class MeasuredMemory:
    """Sizes by host, model and form of its weights, kept in a JSON file.

    Without ``path`` they last as long as the process. A file that cannot be read is ignored, with
    a warning, and replaced by the next measurement.
    """

    def __init__(self, path: Path | None, host: str) -> None:
        self._path = path
        self._host = host
        found = _read(path).hosts.get(host, []) if path is not None else []
        self._sizes = {(one.model, one.strategy): one.size_bytes for one in found}

    def correct(self, key: ResidentKey, demand: Demand) -> Demand:
        """``demand`` with what was measured in place of what was estimated."""
        size_bytes = self._sizes.get(key)
        if size_bytes is None:
            return demand
        return replace(demand, weights_bytes=size_bytes, workspace_bytes=0)

    def remember(self, key: ResidentKey, *, total_bytes: int, kv_bytes: int) -> None:
        """``key`` took ``total_bytes``, of which ``kv_bytes`` for its KV cache.

        A file that cannot be written costs a warning: the next start will only estimate again.
        """
        size_bytes = max(0, total_bytes - kv_bytes)
        if self._sizes.get(key) == size_bytes:
            return
        self._sizes[key] = size_bytes
        if self._path is None:
            return
        try:
            self._write(self._path)
        except OSError as exc:
            logger.warning("cannot write %s: %s", self._path, exc.strerror)

    def _write(self, path: Path) -> None:
        """Replace the file as a whole; what other hosts wrote meanwhile stays."""
        file = _read(path)
        file.hosts[self._host] = [
            MeasuredSize(model=model, strategy=strategy, size_bytes=size_bytes)
            for (model, strategy), size_bytes in sorted(self._sizes.items())
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(file.model_dump_json(indent=1), encoding="utf-8")
        draft.replace(path)


@dataclass(slots=True)
class MemoryGrowth:
    """Bytes by which the use of each device grew at its peak."""

    bytes_by_device: dict[str, int] = field(default_factory=dict)


@contextmanager
def watch_growth(devices: Mapping[str, int]) -> Iterator[MemoryGrowth]:
    """Measures what is allocated on ``devices`` within; the result is there at the end.

    On a GPU what torch allocates, at its peak; for RAM what the process holds at the end, less
    what a load costs besides the model.
    """
    process = psutil.Process()
    gpus = [name for name in devices if name != CPU]
    growth = MemoryGrowth()
    ram_before = process.memory_info().rss
    gpu_before = {name: _begin_gpu(name) for name in gpus}
    yield growth
    for name, before in gpu_before.items():
        growth.bytes_by_device[name] = max(0, _peak_gpu_bytes(name) - before)
    if CPU in devices:
        grown = process.memory_info().rss - ram_before
        growth.bytes_by_device[CPU] = max(0, grown - NOISE_BYTES)


def measured_devices(
    reservation: Reservation, growth: MemoryGrowth, engine_bytes: int
) -> dict[str, int]:
    """What a loaded model holds of each device; pure.

    ``engine_bytes`` are what its tensors take, which is the least it can be: memory that the
    process had freed before and takes again does not show as growth.
    """
    grown = {name: growth.bytes_by_device.get(name, 0) for name in reservation.devices}
    missing = engine_bytes - sum(grown.values())
    if missing <= 0:
        return grown
    total = max(1, reservation.total_bytes)
    shares = {name: missing * size // total for name, size in reservation.devices.items()}
    return {name: grown[name] + shares[name] for name in grown}


def _begin_gpu(name: str) -> int:
    # The load has imported it by now; nothing else here may.
    import torch  # noqa: PLC0415

    torch.cuda.reset_peak_memory_stats(name)
    return torch.cuda.memory_allocated(name)


def _peak_gpu_bytes(name: str) -> int:
    import torch  # noqa: PLC0415

    return torch.cuda.max_memory_allocated(name)


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return _File()
    except (OSError, ValueError, ValidationError) as exc:
        logger.warning("%s is ignored: %s", path, str(exc).splitlines()[0])
        return _File()
