"""The application: what it is made of, and in which order."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Scope

from api.access import declare_security
from api.assets import Assets
from api.caller_trace import CallerTrace
from api.catalogue import Catalogue
from api.client_gone import ClientGone
from api.dependencies import Services
from api.edge import Edge
from api.endpoints import (
    cache,
    dead,
    docs_page,
    inference,
    live,
    metrics,
    openai,
    orchestrator,
    system,
    traces,
)
from api.gate import Gate
from api.limits import ApiLimits
from api.liveness import Liveness
from api.model_cache import ModelCache
from api.openapi import PROBLEMS, build_openapi
from api.page import Page
from api.problem import on_http_exception, on_promptbus_error, problem_response
from api.readiness import Readiness
from api.run_metrics import RunMetrics
from api.runs import Runs
from api.validation import refusal_from
from bus.bus_report import BusReport
from bus.call import Caller
from bus.connection import Connection
from bus.event_feed import EventFeed
from bus.key_board import KeyBoard
from bus.presence_board import PresenceBoard
from bus.prompt_client import PromptClient
from contracts.errors import PromptbusError
from contracts.generation import DirectRequest
from contracts.prompt import PromptRequest

# What proxies log for a client that hung up; nobody receives it.
CLIENT_CLOSED_REQUEST = 499

_READ_BY_ROUTES = (
    DirectRequest,
    PromptRequest,
    orchestrator.CancelRequest,
    *openai.READ_BY_ROUTES,
    *cache.READ_BY_ROUTES,
    *dead.READ_BY_ROUTES,
)


# What pages of other sites, where they are allowed, may send and read.
_SENT_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID")
_READ_HEADERS = ("X-Run-Id", "Location", "Retry-After", "RateLimit", "RateLimit-Policy")


class Bridge(FastAPI):
    """FastAPI with the request bodies, and where ``has_keys`` the scopes, in its document."""

    has_keys = False

    def openapi(self) -> dict[str, Any]:
        """The document, built once."""
        if self.openapi_schema is None:
            self.openapi_schema = build_openapi(self, _READ_BY_ROUTES)
            if self.has_keys:
                declare_security(self.openapi_schema)
        return self.openapi_schema


def create_app(
    *,
    client: PromptClient,
    board: PresenceBoard,
    connection: Connection,
    limits: ApiLimits,
    version: str,
    keys: KeyBoard | None = None,
    allowed_hosts: Collection[str] | None = None,
    allowed_origins: Collection[str] = (),
    page_folder: Path | None = None,
    trace_url: str | None = None,
) -> FastAPI:
    """The bridge on an open ``client``, ``board`` and ``connection``.

    It must be served in the event loop these were opened in, by a server with
    ``limits.uvicorn_options()``. With ``keys`` each route needs one of them; without, whoever
    reaches the server may do everything. ``allowed_hosts`` are its names besides loopback's (None:
    any), ``allowed_origins`` the sites whose pages may use it. ``page_folder`` holds the built
    page: its ``index.html``, and under ``assets`` what that needs. ``trace_url`` is where another
    tool shows the trace ``{trace_id}``.
    """
    app = Bridge(
        title="promptbus",
        version=version,
        description="Runs prompts through a team of actors on NATS.",
        redirect_slashes=False,
        responses=PROBLEMS,
        docs_url=None,
        redoc_url=None,
        # One span a request: what lies within is told by our own. FastAPI's log records would
        # quote what they are about.
        telemetry={"operation_spans": False, "logs": False, "exclude": _is_watch},
    )
    app.has_keys = keys is not None
    catalogue = Catalogue(board)
    caller = Caller(connection)
    app.state.services = Services(
        client=client,
        board=board,
        connection=connection,
        limits=limits,
        version=version,
        catalogue=catalogue,
        readiness=Readiness(connection, board, version=version, timeout_s=limits.probe_timeout_s),
        runs=Runs(client, catalogue),
        cache=ModelCache(board, caller, timeout_s=limits.control_timeout_s),
        caller=caller,
        report=BusReport(connection),
        page=Page(page_folder),
        metrics=RunMetrics(),
        trace_url=trace_url,
        events=EventFeed(connection, client.stored),
    )
    app.include_router(system.root_router)
    app.include_router(system.router)
    app.include_router(inference.catalogue_router)
    app.include_router(inference.router)
    app.include_router(live.router)
    app.include_router(orchestrator.router)
    app.include_router(cache.router)
    app.include_router(dead.router)
    app.include_router(traces.router)
    app.include_router(metrics.router)
    app.include_router(openai.router)
    app.include_router(docs_page.router)
    if page_folder is not None:
        app.mount("/assets", GZipMiddleware(Assets(directory=page_folder / "assets")))
    app.add_exception_handler(PromptbusError, on_promptbus_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameter)
    app.add_exception_handler(ClientGone, _on_client_gone)
    app.add_middleware(Liveness, closed=connection.closed)
    app.add_middleware(
        Gate,
        keys=keys,
        limits=limits,
        allowed_hosts=allowed_hosts,
        allowed_origins=allowed_origins,
    )
    if allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(allowed_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=[*_SENT_HEADERS, openai.MODE_HEADER],
            expose_headers=_READ_HEADERS,
        )
    app.add_middleware(CallerTrace)
    app.add_middleware(Edge, max_header_bytes=limits.max_header_bytes)
    return app


def _is_watch(scope: Scope) -> bool:
    """Whether it is one of those requests that come every second and are nobody's work."""
    path: str = scope["path"]
    return path.startswith("/health")


async def _on_invalid_parameter(_request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RequestValidationError):
        raise exc
    return problem_response(refusal_from(exc.errors()[0], None).to_wire())


async def _on_client_gone(_request: Request, _exc: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
