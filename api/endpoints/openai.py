"""OpenAI's protocol: any client of it can ask promptbus."""

import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from api.catalogue import CatalogueModel
from api.client_gone import ClientGone, while_connected
from api.dependencies import CatalogueDep, ClientDep, LimitsDep, RunsDep
from api.endpoints.inference import claimed, direct_task
from api.idempotency import IdempotencyDep
from api.openai.answer import AnswerSource, DirectAnswer, RunAnswer
from api.openai.completion import ChatShape, Shape, TextShape
from api.openai.error import RUN_ID_HEADER, ErrorBody, error_response
from api.openai.event_stream import EventStream
from api.openai.json_answer import JsonAnswer, check_format
from api.openai.request import AUTO, ChatCompletionRequest, CompletionRequest
from api.problem import RefusedRequest
from api.request_body import json_body, read_model
from api.validation import refusal_from
from contracts.errors import PromptbusError, UnknownModel

DIRECT: Final = "direct"
RUN: Final = "run"
MODE_HEADER: Final = "X-Promptbus-Mode"
OWNER: Final = "promptbus"
READ_BY_ROUTES = (ChatCompletionRequest, CompletionRequest)


class _OpenAIRoute(APIRoute):
    """Turns errors into OpenAI's shape instead of problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with its errors caught."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                response: Response = await handle(request)
            except RequestValidationError as exc:
                return error_response(refusal_from(exc.errors()[0], None).to_wire())
            except PromptbusError as exc:
                closes = {"Connection": "close"} if getattr(exc, "closes", False) else None
                return error_response(exc.to_wire(), headers=closes)
            return response

        return guarded


_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "the request is refused"},
    "5XX": {"model": ErrorBody, "description": "it cannot be served"},
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the answer; with `stream` its pieces as they come",
        "content": {"application/json": {}, "text/event-stream": {}},
    }
}

router = APIRouter(prefix="/v1", tags=["openai"], route_class=_OpenAIRoute, responses=_ERRORS)

Mode = Annotated[
    str, Header(alias=MODE_HEADER, description="`run` (all actors) or `direct` (one model)")
]


class _Sources:
    """Where the answers of one request may come from, as routes ask for it."""

    def __init__(
        self,
        client: ClientDep,
        runs: RunsDep,
        catalogue: CatalogueDep,
        limits: LimitsDep,
        idempotency: IdempotencyDep,
    ) -> None:
        self._idempotency = idempotency
        self._client = client
        self._runs = runs
        self._catalogue = catalogue
        self.limits = limits

    async def open(
        self, wanted: ChatCompletionRequest | CompletionRequest, mode: str
    ) -> AnswerSource:
        """The source of the answer; for a run, its prompt is accepted.

        Raises: RefusedRequest, UnknownModel, UnknownStrategy, BusUnavailable, QueueFull.
        """
        json_format = wanted.json_format
        if json_format is None:
            return await self._open(wanted, mode)
        await anyio.to_thread.run_sync(check_format, json_format)
        return JsonAnswer(await self._open(wanted, mode), json_format)

    async def _open(
        self, wanted: ChatCompletionRequest | CompletionRequest, mode: str
    ) -> AnswerSource:
        if mode == DIRECT:
            direct = wanted.to_direct()
            strategy = await self._catalogue.strategy_for(direct.model, direct.strategy)
            task = direct_task(direct, strategy, self.limits.generate_timeout_s)
            task, is_keyed = await claimed(task, direct, self._idempotency, self._client)
            return DirectAnswer(self._client, task, outlives_client=is_keyed)
        if mode != RUN:
            raise RefusedRequest("not_allowed", f"must be {RUN} or {DIRECT}", field=MODE_HEADER)
        prompt = wanted.to_prompt()
        run_id = await self._runs.submit(prompt, self._idempotency)
        return RunAnswer(
            self._client,
            self._runs,
            run_id,
            as_generated=prompt.max_attempts == 1,
            max_wait_s=self.limits.max_wait_s,
            outlives_client=self._idempotency.key is not None,
        )


SourcesDep = Annotated[_Sources, Depends()]


@router.get("/models")
async def models(catalogue: CatalogueDep) -> dict[str, Any]:
    """Every model that can be used now; ``auto`` leaves the choice to the monitor."""
    served = [model for model in await catalogue.models() if model.available]
    listed = [_model(AUTO, OWNER)] if served else []
    listed += [_model(model.model, model.provider) for model in served]
    return {"object": "list", "data": listed}


@router.get("/models/{model:path}")
async def model(model: str, catalogue: CatalogueDep) -> dict[str, Any]:
    """One model."""
    served: dict[str, CatalogueModel] = {one.model: one for one in await catalogue.models()}
    if model == AUTO and served:
        return _model(AUTO, OWNER)
    if model not in served:
        raise UnknownModel(model=model, known=tuple(sorted(served)))
    return _model(model, served[model].provider)


@router.post(
    "/chat/completions",
    response_model=None,
    responses=_ANSWERS,
    openapi_extra=json_body(ChatCompletionRequest),
)
async def chat_completions(request: Request, sources: SourcesDep, mode: Mode = RUN) -> Response:
    """Answer a conversation.

    By default a run through all actors; with `X-Promptbus-Mode: direct` one generation without a
    run. `X-Run-Id` names the run. The work is ended when the client hangs up.
    """
    wanted = await read_model(request, ChatCompletionRequest, sources.limits)
    source = await sources.open(wanted, mode)
    shape = ChatShape(source.run_id, int(time.time()), wanted.model, wanted.include_usage)
    return await _respond(request, source, shape, sources, stream=bool(wanted.stream))


@router.post(
    "/completions",
    response_model=None,
    responses=_ANSWERS,
    openapi_extra=json_body(CompletionRequest),
)
async def completions(request: Request, sources: SourcesDep, mode: Mode = RUN) -> Response:
    """Answer one text: the older form of the same."""
    wanted = await read_model(request, CompletionRequest, sources.limits)
    source = await sources.open(wanted, mode)
    shape = TextShape(source.run_id, int(time.time()), wanted.model, wanted.include_usage)
    return await _respond(request, source, shape, sources, stream=bool(wanted.stream))


@router.api_route(
    "/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False
)
async def elsewhere(path: str) -> Response:
    """What OpenAI offers and promptbus does not."""
    raise RefusedRequest(
        "unknown_url",
        "no such address under /v1, or not with this method",
        status=HTTPStatus.NOT_FOUND,
        cure="there are GET /v1/models, POST /v1/chat/completions and POST /v1/completions",
    )


async def _respond(
    request: Request, source: AnswerSource, shape: Shape, sources: _Sources, *, stream: bool
) -> Response:
    if stream:
        return EventStream(source, shape, sources.limits)
    try:
        answer = await while_connected(request, source.whole)
    except ClientGone:
        await source.abandon()
        raise
    except PromptbusError as exc:
        return error_response(exc.to_wire(), run_id=source.run_id)
    return JSONResponse(shape.whole(answer), headers={RUN_ID_HEADER: source.run_id})


def _model(key: str, owner: str) -> dict[str, Any]:
    return {"id": key, "object": "model", "created": 0, "owned_by": owner}
