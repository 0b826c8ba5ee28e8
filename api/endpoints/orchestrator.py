"""Runs over REST."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from api.client_gone import while_connected
from api.dependencies import CallerDep, LimitsDep, RunsDep
from api.idempotency import IdempotencyDep
from api.request_body import json_body, read_model, read_optional_model
from api.run_event import RunEvents, run_event
from api.run_filters import RunFilters
from api.runs import FINAL_STATES, Runs, checked_run_id
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.call import RunPage
from contracts.errors import BusUnavailable
from contracts.message import Message
from contracts.message import Request as StrictRequest
from contracts.prompt import PromptRequest
from contracts.run_view import RunView

router = APIRouter(prefix="/orchestrator", tags=["orchestrator"])

MAX_SEQUENCE = 2**63 - 1

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": RunView, "description": "accepted; the run has no outcome yet"}
}


class CancelRequest(StrictRequest):
    """The body of a cancellation; it may be left out."""

    reason: str = Field(default="", max_length=500)


class CancelResponse(Message):
    """The cancellation is written; the run's outcome will tell how it went."""

    run_id: str
    cancel_requested: bool = True


WaitS = Annotated[
    float | None,
    Query(ge=0, allow_inf_nan=False, description="seconds to wait; 0 answers at once"),
]


@router.post("/run", responses=_ACCEPTED, openapi_extra=json_body(PromptRequest))
async def run(
    *,
    request: Request,
    response: Response,
    runs: RunsDep,
    limits: LimitsDep,
    idempotency: IdempotencyDep,
    wait_s: WaitS = None,
) -> RunView:
    """Submit a prompt and wait for the outcome of its run.

    200 with the outcome, whatever it is (answered, failed, cancelled); 202 when there is none
    within ``wait_s``, with the run's address in ``Location``. Once accepted, the run goes on
    whatever becomes of this request: a client that hangs up stops waiting, not the run. To end
    it, cancel it. With an ``Idempotency-Key`` the same request may be sent any number of times.
    """
    wanted = await read_model(request, PromptRequest, limits)
    longest_s = limits.default_wait_s if wait_s is None else min(wait_s, limits.max_wait_s)
    run_id = await runs.submit(wanted, idempotency)
    view = await while_connected(request, lambda: _wait(runs, run_id, longest_s))
    response.headers["Location"] = f"/orchestrator/runs/{run_id}"
    if view.state not in FINAL_STATES:
        response.status_code = HTTPStatus.ACCEPTED
    return view


@router.get("/runs")
async def list_runs(
    caller: CallerDep, limits: LimitsDep, filters: Annotated[RunFilters, Depends()]
) -> RunPage:
    """Runs that match, the newest first; their texts are cut.

    `cursor` in the answer, where there is one, asks for the next page. Runs that no coordinator
    has taken yet are counted in `/system/queues`.
    """
    subject = subjects.call(ActorKind.HISTORY)
    return await caller.call(subject, filters.call(), RunPage, timeout_s=limits.list_timeout_s)


@router.get("/runs/{run_id}")
async def show(run_id: str, runs: RunsDep) -> RunView:
    """The run as it is now."""
    return await runs.view(run_id)


@router.post(
    "/runs/{run_id}/cancel",
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=json_body(CancelRequest, required=False),
)
async def cancel(run_id: str, request: Request, runs: RunsDep, limits: LimitsDep) -> CancelResponse:
    """Ask for the end of a run; 409 when it has its outcome already."""
    checked = checked_run_id(run_id)
    wanted = await read_optional_model(request, CancelRequest, limits)
    await runs.cancel(checked, wanted.reason)
    return CancelResponse(run_id=checked)


@router.get("/runs/{run_id}/events")
async def events(
    run_id: str, runs: RunsDep, after: Annotated[int, Query(ge=0, le=MAX_SEQUENCE)] = 0
) -> RunEvents:
    """The run's events in order, those after sequence ``after``."""
    journal = await runs.journal(run_id)
    later = tuple(run_event(entry) for entry in journal if entry.sequence > after)
    return RunEvents(run_id=run_id, events=later)


async def _wait(runs: Runs, run_id: str, wait_s: float) -> RunView:
    try:
        return await runs.wait(run_id, wait_s)
    except BusUnavailable:
        # Accepted is accepted: a refusal now would make the client send the prompt again.
        return RunView(run_id=run_id, state="queued")
