"""What is in memory where, and orders about it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from api.client_gone import while_connected
from api.dependencies import CacheDep, LimitsDep
from api.request_body import json_body, read_model, read_optional_model
from contracts.call import DeviceName, SizeBytes
from contracts.message import Message
from contracts.message import Request as StrictRequest
from contracts.presence import DeviceReport, HostReport
from contracts.prompt import ModelKey, StrategyKey

router = APIRouter(prefix="/cache", tags=["cache"])

HostName = Annotated[str, Field(min_length=1, max_length=128)]


class CachedModel(Message):
    """A model that is in memory, or on its way: ``loading`` is the fraction read."""

    model: str
    strategy: str | None = None
    size_bytes: int | None = None
    loading: float | None = None
    pinned: bool = False
    slots: int
    num_running: int
    num_waiting: int


class CacheHost(Message):
    """One machine: the memory models may use, device by device, and the models that use it."""

    host: str
    devices: tuple[DeviceReport, ...]
    models: tuple[CachedModel, ...]


class CacheResponse(Message):
    """What is loaded where."""

    hosts: tuple[CacheHost, ...]


class DeviceMemory(DeviceReport):
    """The memory of one device of one machine, in bytes; ``used_bytes`` is held by models."""

    host: str
    used_bytes: int


class MemoryResponse(Message):
    """The memory that models may use on all machines together, and device by device."""

    total_bytes: int
    used_bytes: int
    free_bytes: int
    devices: tuple[DeviceMemory, ...]


class HostRequest(StrictRequest):
    """Which machine is meant; without a name, every one."""

    host: HostName | None = None


class ModelRequest(HostRequest):
    """Which model is meant, and where."""

    model: ModelKey


class LoadRequest(ModelRequest):
    """What to load: with the strategy named or the model's default, on the host named or the one
    that has most room."""

    strategy: StrategyKey | None = None


class BudgetRequest(HostRequest):
    """Bytes that models may use, by device; the host may be left out where there is only one."""

    budgets: dict[DeviceName, SizeBytes] = Field(min_length=1, max_length=64)


READ_BY_ROUTES = (HostRequest, ModelRequest, LoadRequest, BudgetRequest)

NamedHost = Annotated[
    str | None, Query(min_length=1, max_length=128, description="only this machine")
]


@router.get("")
async def loaded(cache: CacheDep, host: NamedHost = None) -> CacheResponse:
    """What is loaded where."""
    return _response(await cache.hosts(host))


@router.get("/memory")
async def memory(cache: CacheDep, host: NamedHost = None) -> MemoryResponse:
    """The memory that models may use and do use."""
    devices = tuple(
        DeviceMemory(
            **device.model_dump(),
            host=one.host,
            used_bytes=max(0, device.total_bytes - device.free_bytes),
        )
        for one in await cache.hosts(host)
        for device in one.devices
    )
    return MemoryResponse(
        total_bytes=sum(device.total_bytes for device in devices),
        used_bytes=sum(device.used_bytes for device in devices),
        free_bytes=sum(device.free_bytes for device in devices),
        devices=devices,
    )


@router.post("/load", openapi_extra=json_body(LoadRequest))
async def load(request: Request, cache: CacheDep, limits: LimitsDep) -> CacheResponse:
    """Load a model, making room for it; answered once it is in memory.

    It goes on when its client hangs up, and the host serves the model from then on.
    """
    wanted = await read_model(request, LoadRequest, limits)
    return _response(
        (
            await while_connected(
                request, lambda: cache.load(wanted.model, wanted.strategy, wanted.host)
            ),
        )
    )


@router.post("/unload", openapi_extra=json_body(ModelRequest))
async def unload(request: Request, cache: CacheDep, limits: LimitsDep) -> CacheResponse:
    """Free a model once nothing uses it; it is loaded again when somebody asks for it."""
    wanted = await read_model(request, ModelRequest, limits)
    return _response(
        await while_connected(request, lambda: cache.unload(wanted.model, wanted.host))
    )


@router.post("/pin", openapi_extra=json_body(ModelRequest))
async def pin(request: Request, cache: CacheDep, limits: LimitsDep) -> CacheResponse:
    """Never evict a model: where it is in memory, or on the host named."""
    wanted = await read_model(request, ModelRequest, limits)
    return _response(await cache.pin(wanted.model, wanted.host, pinned=True))


@router.post("/unpin", openapi_extra=json_body(ModelRequest))
async def unpin(request: Request, cache: CacheDep, limits: LimitsDep) -> CacheResponse:
    """Let a model be evicted again."""
    wanted = await read_model(request, ModelRequest, limits)
    return _response(await cache.pin(wanted.model, wanted.host, pinned=False))


@router.post("/evict", openapi_extra=json_body(HostRequest, required=False))
async def evict(request: Request, cache: CacheDep, limits: LimitsDep) -> CacheResponse:
    """Free every model that is not pinned, once nothing uses it."""
    wanted = await read_optional_model(request, HostRequest, limits)
    return _response(await while_connected(request, lambda: cache.evict(wanted.host)))


@router.put("/budget", openapi_extra=json_body(BudgetRequest))
async def set_budget(request: Request, cache: CacheDep, limits: LimitsDep) -> CacheResponse:
    """Bound what models may use of devices; what no longer fits leaves once it is idle.

    It holds until the executor is started again.
    """
    wanted = await read_model(request, BudgetRequest, limits)
    changed = await while_connected(request, lambda: cache.set_budgets(wanted.host, wanted.budgets))
    return _response((changed,))


def _response(hosts: tuple[HostReport, ...]) -> CacheResponse:
    return CacheResponse(hosts=tuple(map(cache_host, hosts)))


def cache_host(host: HostReport) -> CacheHost:
    """What of ``host`` concerns its memory; pure.

    Models that nothing is loaded for, such as remote ones, are left out.
    """
    return CacheHost(
        host=host.host,
        devices=host.devices,
        models=tuple(
            CachedModel(
                model=report.model,
                strategy=report.resident_strategy,
                size_bytes=report.size_bytes,
                loading=report.loading,
                pinned=report.pinned,
                slots=report.slots,
                num_running=report.num_running,
                num_waiting=report.num_waiting,
            )
            for report in host.models
            if report.needs_memory and (report.resident or report.loading is not None)
        ),
    )
