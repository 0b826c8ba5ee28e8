"""What this is, whether it works, and who is there."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response

from api.dependencies import BoardDep, BusDep, ReadinessDep, VersionDep
from api.readiness import HealthResponse
from contracts.message import Message
from contracts.presence import HostReport, Presence

root_router = APIRouter(tags=["system"])
router = APIRouter(prefix="/system", tags=["system"])

_NOT_READY = {"model": HealthResponse, "description": "a part is missing; `missing` names it"}


class RootResponse(Message):
    """What ``GET /`` answers."""

    name: str = "promptbus"
    version: str
    links: dict[str, str]


class LivenessResponse(Message):
    """What ``GET /health/live`` answers."""

    status: Literal["alive", "dead"]


class HostsResponse(Message):
    """The machines of all executors."""

    hosts: tuple[HostReport, ...]


class ActorsResponse(Message):
    """Every living actor process."""

    actors: tuple[Presence, ...]


@root_router.get("/")
async def root(version: VersionDep) -> RootResponse:
    """Name, version, and where to go on."""
    links = {
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/health",
        "models": "/models",
        "inference": "/inference",
        "orchestrator": "/orchestrator/run",
        "socket": "/orchestrator/ws",
        "hosts": "/system/hosts",
        "actors": "/system/actors",
    }
    return RootResponse(version=version, links=links)


@root_router.get("/health", responses={503: _NOT_READY})
async def health(readiness: ReadinessDep, response: Response) -> HealthResponse:
    """Whether a prompt sent now would be answered; 503 names what is missing."""
    found = await readiness.check()
    if found.missing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
    return found


@root_router.get("/health/live", responses={503: {"model": LivenessResponse}})
async def live(bus: BusDep, response: Response) -> LivenessResponse:
    """Whether this process is worth keeping; it asks nobody.

    503 once the NATS client is closed for good, which only a restart mends.
    """
    if bus.closed.is_set():
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return LivenessResponse(status="dead")
    return LivenessResponse(status="alive")


@router.get("/hosts")
async def hosts(board: BoardDep) -> HostsResponse:
    """The machines of all executors: devices, memory, models."""
    return HostsResponse(hosts=tuple(await board.hosts()))


@router.get("/actors")
async def actors(board: BoardDep) -> ActorsResponse:
    """Every living actor process, by kind."""
    present = sorted(await board.present(), key=lambda one: (one.kind, one.instance))
    return ActorsResponse(actors=tuple(present))
