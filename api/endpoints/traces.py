"""The trace of a run, and the flow drawn from it."""

from typing import Any, Final, Literal

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import RunsDep, SpansDep, TraceUrlDep
from api.runs import checked_run_id
from contracts.flow import Flow, build_flow
from contracts.message import JsonObject, Message
from contracts.otlp_json import to_otlp_json
from contracts.run_spans import run_spans
from contracts.span import Span, merge_spans

router = APIRouter(prefix="/traces", tags=["traces"])

_OTLP: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "OTLP's JSON"}}


class FlowResponse(Message):
    """The flow of a run; ``source`` says what it was drawn from.

    ``trace_url`` is where another tool, such as Jaeger, shows the trace; None where none is set up.
    """

    run_id: str
    trace_url: str | None = None
    source: Literal["spans", "journal"]
    flow: Flow = Field(default_factory=Flow)


@router.get("/{run_id}", responses=_OTLP)
async def trace(run_id: str, runs: RunsDep, spans: SpansDep) -> JsonObject:
    """The spans of a run as OTLP's JSON, which other tools import; open ones have no end.

    A run's trace is named by its id.
    """
    found, _ = await _spans_of(checked_run_id(run_id), runs, spans)
    return to_otlp_json(found)


@router.get("/{run_id}/flow")
async def flow(run_id: str, runs: RunsDep, spans: SpansDep, trace_url: TraceUrlDep) -> FlowResponse:
    """The flow of a run, drawn from its spans."""
    found, source = await _spans_of(checked_run_id(run_id), runs, spans)
    url = trace_url.replace("{trace_id}", run_id) if trace_url is not None else None
    return FlowResponse(run_id=run_id, trace_url=url, source=source, flow=build_flow(found))


async def _spans_of(
    run_id: str, runs: RunsDep, spans: SpansDep
) -> tuple[list[Span], Literal["spans", "journal"]]:
    """What SPANS holds; what the journal tells, where that is more or the spans are gone."""
    found = await spans.read(run_id)
    if any(not span.parent_id and not span.is_open for span in found):
        return found, "spans"
    journal = await runs.journal(run_id)
    return merge_spans([*found, *run_spans(run_id, journal)]), "journal"
