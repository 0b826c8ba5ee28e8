"""Hosts and models to choose among."""

from typing import Any

from contracts.presence import DeviceReport, HostReport, ModelReport

GIB = 2**30
STRATEGIES = ("standard", "optimized", "streaming")


def model(name: str, **fields: Any) -> ModelReport:
    """A local model of 1 GiB that takes 4096 tokens, with whatever ``fields`` change."""
    known: dict[str, Any] = {
        "provider": "local",
        "source": "local",
        "strategies": STRATEGIES,
        "default_strategy": "standard",
        "size_bytes": GIB,
        "context_tokens": 4096,
        "good_at": ("chat",),
    }
    return ModelReport(model=name, **known | fields)


def pocket(**fields: Any) -> ModelReport:
    """The built-in model, as every executor announces it."""
    known: dict[str, Any] = {"size_bytes": None, "context_tokens": None, "rank": 1}
    return model("pocket", **known | fields)


def echo() -> ModelReport:
    """The provider that repeats the prompt."""
    return model("echo", provider="echo", size_bytes=0, resident=True, rank=0)


def host(
    *models: ModelReport,
    name: str = "host-a",
    free_gib: float = 16,
    evictable_gib: float = 0,
    gpu_free_gib: float = 0,
) -> HostReport:
    """A host with that much free RAM, and a GPU where some is free there."""
    devices = [
        DeviceReport(
            name="cpu",
            kind="cpu",
            total_bytes=64 * GIB,
            free_bytes=int(free_gib * GIB),
            evictable_bytes=int(evictable_gib * GIB),
        )
    ]
    if gpu_free_gib:
        free_bytes = int(gpu_free_gib * GIB)
        devices.append(
            DeviceReport(name="cuda:0", kind="cuda", total_bytes=80 * GIB, free_bytes=free_bytes)
        )
    return HostReport(host=name, num_cpus=8, devices=tuple(devices), models=models)
