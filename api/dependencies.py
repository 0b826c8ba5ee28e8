"""What routes ask for, as types."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.catalogue import Catalogue
from api.limits import ApiLimits
from api.model_cache import ModelCache
from api.page import Page
from api.readiness import Readiness
from api.run_metrics import RunMetrics
from api.runs import Runs
from bus.bus_report import BusReport
from bus.call import Caller
from bus.connection import Connection
from bus.event_feed import EventFeed
from bus.presence_board import PresenceBoard
from bus.prompt_client import PromptClient
from bus.span_stream import SpanStream


@dataclass(frozen=True, slots=True)
class Services:
    """Everything one application works with, built once by :func:`api.server.create_app`."""

    client: PromptClient
    board: PresenceBoard
    connection: Connection
    limits: ApiLimits
    version: str
    catalogue: Catalogue
    readiness: Readiness
    runs: Runs
    events: EventFeed
    cache: ModelCache
    caller: Caller
    report: BusReport
    page: Page
    metrics: RunMetrics
    trace_url: str | None


def _services(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


async def get_client(connection: HTTPConnection) -> PromptClient:
    """The client of the bus."""
    return _services(connection).client


async def get_board(connection: HTTPConnection) -> PresenceBoard:
    """Who is there."""
    return _services(connection).board


async def get_bus(connection: HTTPConnection) -> Connection:
    """The connection itself."""
    return _services(connection).connection


async def get_limits(connection: HTTPConnection) -> ApiLimits:
    """What a client may cost."""
    return _services(connection).limits


async def get_version(connection: HTTPConnection) -> str:
    """The version this server says it has."""
    return _services(connection).version


async def get_catalogue(connection: HTTPConnection) -> Catalogue:
    """The models there are."""
    return _services(connection).catalogue


async def get_readiness(connection: HTTPConnection) -> Readiness:
    """Whether everything is there."""
    return _services(connection).readiness


async def get_runs(connection: HTTPConnection) -> Runs:
    """What can be done with runs."""
    return _services(connection).runs


async def get_events(connection: HTTPConnection) -> EventFeed:
    """The events of all runs."""
    return _services(connection).events


async def get_cache(connection: HTTPConnection) -> ModelCache:
    """The models in memory."""
    return _services(connection).cache


async def get_caller(connection: HTTPConnection) -> Caller:
    """What asks actors."""
    return _services(connection).caller


async def get_report(connection: HTTPConnection) -> BusReport:
    """What the bus holds."""
    return _services(connection).report


async def get_page(connection: HTTPConnection) -> Page:
    """The page for browsers."""
    return _services(connection).page


async def get_metrics(connection: HTTPConnection) -> RunMetrics:
    """What was counted of runs."""
    return _services(connection).metrics


async def get_spans(connection: HTTPConnection) -> SpanStream:
    """The spans of all runs."""
    return _services(connection).client.spans


async def get_trace_url(connection: HTTPConnection) -> str | None:
    """Where another tool shows the trace ``{trace_id}``."""
    return _services(connection).trace_url


ClientDep = Annotated[PromptClient, Depends(get_client)]
BoardDep = Annotated[PresenceBoard, Depends(get_board)]
BusDep = Annotated[Connection, Depends(get_bus)]
LimitsDep = Annotated[ApiLimits, Depends(get_limits)]
VersionDep = Annotated[str, Depends(get_version)]
CatalogueDep = Annotated[Catalogue, Depends(get_catalogue)]
ReadinessDep = Annotated[Readiness, Depends(get_readiness)]
RunsDep = Annotated[Runs, Depends(get_runs)]
CacheDep = Annotated[ModelCache, Depends(get_cache)]
CallerDep = Annotated[Caller, Depends(get_caller)]
ReportDep = Annotated[BusReport, Depends(get_report)]
PageDep = Annotated[Page, Depends(get_page)]
MetricsDep = Annotated[RunMetrics, Depends(get_metrics)]
TraceUrlDep = Annotated[str | None, Depends(get_trace_url)]
SpansDep = Annotated[SpanStream, Depends(get_spans)]
EventsDep = Annotated[EventFeed, Depends(get_events)]
