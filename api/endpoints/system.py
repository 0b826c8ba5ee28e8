"""What this is, whether it works, and who is there."""

import platform
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version as version_of
from typing import Final, Literal

from fastapi import APIRouter, Request, Response

from api.dependencies import (
    BoardDep,
    BusDep,
    PageDep,
    ReadinessDep,
    ReportDep,
    VersionDep,
)
from api.liveness import PATH as LIVENESS_PATH
from api.liveness import liveness
from api.readiness import HealthResponse
from bus.bus_report import QueueReport, StreamReport
from contracts.message import Message
from contracts.presence import DeviceReport, HostReport, Presence

root_router = APIRouter(tags=["system"])
router = APIRouter(prefix="/system", tags=["system"])

_LINKS: Final[Mapping[str, str]] = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "health": "/health",
    "models": "/models",
    "inference": "/inference/",
    "inference_models": "/inference/models",
    "orchestrator": "/orchestrator/run",
    "runs": "/orchestrator/runs",
    "socket": "/orchestrator/ws",
    "cache": "/cache",
    "hosts": "/system/hosts",
    "actors": "/system/actors",
    "metrics": "/metrics",
    "openai": "/v1",
}
_LIBRARIES: Final = {
    name: version_of(name) for name in ("fastapi", "nats-py", "pydantic", "uvicorn")
}
_NOT_READY = {"model": HealthResponse, "description": "a part is missing; `missing` names it"}


class RootResponse(Message):
    """What ``GET /`` answers."""

    name: str = "promptbus"
    version: str
    links: Mapping[str, str]


class LivenessResponse(Message):
    """What ``GET /health/live`` answers."""

    status: Literal["alive", "dead"]


class HostsResponse(Message):
    """The machines of all executors."""

    hosts: tuple[HostReport, ...]


class HostDevice(DeviceReport):
    """A device and the machine it is in."""

    host: str


class DevicesResponse(Message):
    """The devices of all machines."""

    devices: tuple[HostDevice, ...]


class QueuesResponse(Message):
    """The queues of prompts and tasks."""

    queues: tuple[QueueReport, ...]


class StreamsResponse(Message):
    """All streams."""

    streams: tuple[StreamReport, ...]


class VersionsResponse(Message):
    """Versions; ``actors`` counts the actor processes of each."""

    promptbus: str
    python: str
    nats_server: str | None
    libraries: dict[str, str]
    actors: dict[str, int]


class ActorsResponse(Message):
    """Every living actor process."""

    actors: tuple[Presence, ...]


@root_router.get(
    LIVENESS_PATH,
    response_model=LivenessResponse,
    responses={503: {"model": LivenessResponse, "description": "only a restart mends it"}},
)
async def live(bus: BusDep) -> Response:
    """Whether this process is worth keeping; it asks nobody.

    503 once the NATS client is closed for good, which only a restart mends.
    """
    return liveness(bus.closed)


@root_router.get("/", response_model=RootResponse)
async def root(
    request: Request, response: Response, version: VersionDep, page: PageDep
) -> RootResponse | Response:
    """Name, version, and where to go on; for browsers the page."""
    found = page.response(request.headers.get("accept", "*/*"))
    if found is not None:
        return found
    response.headers["Vary"] = "Accept"
    return RootResponse(version=version, links=_LINKS)


@root_router.get("/health", responses={503: _NOT_READY})
async def health(readiness: ReadinessDep, response: Response) -> HealthResponse:
    """Whether a prompt sent now would be answered; 503 names what is missing."""
    found = await readiness.check()
    if found.missing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
    return found


@router.get("/devices")
async def devices(board: BoardDep) -> DevicesResponse:
    """The devices of all machines and their memory."""
    found = (
        HostDevice(host=host.host, **device.model_dump())
        for host in await board.hosts()
        for device in host.devices
    )
    return DevicesResponse(devices=tuple(found))


@router.get("/queues")
async def queues(report: ReportDep) -> QueuesResponse:
    """What waits for a coordinator, an actor or a model, and what is being worked on."""
    return QueuesResponse(queues=await report.queues())


@router.get("/streams")
async def streams(report: ReportDep) -> StreamsResponse:
    """The streams on the bus, and how full they are."""
    return StreamsResponse(streams=await report.streams())


@router.get("/versions")
async def versions(version: VersionDep, bus: BusDep, board: BoardDep) -> VersionsResponse:
    """What runs here, on the bus, and in how many actor processes."""
    actors = Counter(one.version for one in await board.present())
    return VersionsResponse(
        promptbus=version,
        python=platform.python_version(),
        nats_server=bus.server_version,
        libraries=_LIBRARIES,
        actors=dict(sorted(actors.items())),
    )


@router.get("/hosts")
async def hosts(board: BoardDep) -> HostsResponse:
    """The machines of all executors: devices, memory, models."""
    return HostsResponse(hosts=tuple(await board.hosts()))


@router.get("/actors")
async def actors(board: BoardDep) -> ActorsResponse:
    """Every living actor process, by kind."""
    present = sorted(await board.present(), key=lambda one: (one.kind, one.instance))
    return ActorsResponse(actors=tuple(present))
