"""Dead letters over REST: what nobody could handle, and what shall become of it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from api.dependencies import ClientDep, LimitsDep
from api.request_body import json_body, parse_model, read_body, read_model
from bus.dead_letters import MAX_LIMIT
from contracts.dead_letter import LetterState, LetterView
from contracts.message import Message
from contracts.message import Request as StrictRequest

router = APIRouter(prefix="/dead", tags=["dead letters"])


class EditRequest(StrictRequest):
    """The payload that shall stand in for what came: a prompt or a task, as JSON text."""

    payload: str


class DropRequest(StrictRequest):
    """The body of a drop; it may be left out."""

    reason: str = Field(default="", max_length=500)


class LettersResponse(Message):
    """A page of letters, the newest first; ``before`` asks for the next one where there is one."""

    letters: tuple[LetterView, ...]
    before: int | None = None


READ_BY_ROUTES = (EditRequest, DropRequest)


@router.get("")
async def page(
    client: ClientDep,
    state: LetterState | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> LettersResponse:
    """Dead letters without their payloads."""
    found = await client.dead_letters.page(state=state, limit=limit, before=before)
    following = found[-1].letter_id if len(found) == limit else None
    return LettersResponse(letters=tuple(found), before=following)


@router.get("/{letter_id}")
async def show(letter_id: str, client: ClientDep) -> LetterView:
    """One letter, and what a replay of it would send."""
    return await client.dead_letters.find(letter_id)


@router.put("/{letter_id}/payload", openapi_extra=json_body(EditRequest))
async def edit(
    letter_id: str, request: Request, client: ClientDep, limits: LimitsDep
) -> LetterView:
    """Let another payload stand in for what came; 422 names the field that is wrong in it."""
    wanted = await read_model(request, EditRequest, limits)
    return await client.dead_letters.edit(letter_id, wanted.payload)


@router.post("/{letter_id}/replay")
async def replay(letter_id: str, client: ClientDep) -> LetterView:
    """Put the message back where it belongs; repeating this does nothing twice.

    ``replayed_as`` is the run it leads to; 409 where the letter was dropped.
    """
    return await client.dead_letters.replay(letter_id)


@router.post("/{letter_id}/drop", openapi_extra=json_body(DropRequest, required=False))
async def drop(
    letter_id: str, request: Request, client: ClientDep, limits: LimitsDep
) -> LetterView:
    """Say that nothing shall become of the letter; 409 where it was replayed."""
    wanted = DropRequest()
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        wanted = parse_model(await read_body(request, limits), DropRequest)
    return await client.dead_letters.drop(letter_id, wanted.reason)
