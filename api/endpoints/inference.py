"""Direct generation, and the models there are."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from api.catalogue import CatalogueModel
from api.client_gone import while_connected
from api.dependencies import CatalogueDep, ClientDep, LimitsDep
from api.idempotency import Idempotency, IdempotencyDep
from api.problem import problem_response
from api.request_body import json_body, read_model
from bus.prompt_client import PromptClient
from contracts.errors import ErrorInfo, PromptbusError
from contracts.generation import (
    DirectRequest,
    FinishReason,
    GenerationFields,
    GenerationResult,
)
from contracts.idempotency import keyed_run_id, request_digest
from contracts.message import Message
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer

catalogue_router = APIRouter(tags=["inference"])
router = APIRouter(prefix="/inference", tags=["inference"])


_BROKEN_OFF: Mapping[FinishReason, ErrorInfo] = {
    "cancelled": ErrorInfo(code="cancelled", message="the generation was cancelled", status=409),
    "error": ErrorInfo(code="provider_failed", message="the answer broke off", status=502),
}


class InferenceResponse(GenerationResult):
    """What a direct generation answers: the result, whose times are in milliseconds.

    ``metrics`` has times and token counts flat, as run views do. ``success`` is false for an answer
    that broke off; ``error`` then says why, and ``output`` is what there was until then.
    """

    success: bool
    metrics: dict[str, Any]
    run_id: str
    error: ErrorInfo | None = None


class ModelsResponse(Message):
    """The catalogue."""

    models: tuple[CatalogueModel, ...]


class StrategyState(Message):
    """Where a model is in memory with one strategy, and where it is on its way."""

    strategy: str
    default: bool
    loaded: bool
    resident_on: tuple[str, ...] = ()
    loading_on: tuple[str, ...] = ()


class ModelInfo(Message):
    """A model and its load state by strategy."""

    model: str
    provider: str
    available: bool
    strategies: tuple[StrategyState, ...]


class ModelInfos(Message):
    """What ``GET /inference/models`` answers."""

    models: tuple[ModelInfo, ...]


@catalogue_router.get("/models")
async def models(catalogue: CatalogueDep) -> ModelsResponse:
    """Every model that executors serve, the ablest first, and where each is resident."""
    return ModelsResponse(models=await catalogue.models())


@router.get("/models")
async def model_infos(catalogue: CatalogueDep) -> ModelInfos:
    """Every model and its load state by strategy."""
    return ModelInfos(models=tuple(model_info(model) for model in await catalogue.models()))


@router.post("", response_model=InferenceResponse, openapi_extra=json_body(DirectRequest))
@router.post("/", response_model=InferenceResponse, include_in_schema=False)
async def generate(
    request: Request,
    client: ClientDep,
    catalogue: CatalogueDep,
    limits: LimitsDep,
    idempotency: IdempotencyDep,
) -> InferenceResponse | Response:
    """Generate an answer with one model, without a run.

    The generation is stopped when the client hangs up; with an ``Idempotency-Key`` it goes on,
    and the same request finds it.
    """
    wanted = await read_model(request, DirectRequest, limits)
    named = wanted.strategy if "strategy" in wanted.model_fields_set else None
    strategy = await catalogue.strategy_for(wanted.model, named)
    task = direct_task(wanted, strategy, limits.generate_timeout_s)
    task, is_keyed = await claimed(task, wanted, idempotency, client)
    try:
        result = await while_connected(
            request, lambda: client.generate(task, outlives_caller=is_keyed)
        )
    except PromptbusError as exc:
        return problem_response(exc.to_wire(), run_id=task.run_id)
    error = _BROKEN_OFF.get(result.finish_reason)
    return InferenceResponse(
        **dict(result),
        success=error is None,
        metrics=result.execution_metrics(),
        run_id=task.run_id,
        error=error,
    )


async def claimed(
    task: GenerateAnswer, wanted: DirectRequest, idempotency: Idempotency, client: PromptClient
) -> tuple[GenerateAnswer, bool]:
    """The task under the run of its key, where it has one, and whether it has.

    Raises: IdempotencyMismatch, what a write raises.
    """
    if idempotency.key is None:
        return task, False
    run_id = keyed_run_id(idempotency.key, idempotency.owner)
    await client.claims.claim(run_id, request_digest(wanted, "direct"))
    return task.model_copy(update={"run_id": run_id}), True


def model_info(model: CatalogueModel) -> ModelInfo:
    """The load state of ``model`` by strategy; pure.

    A host that keeps a model without any strategy (nothing needs loading there) counts for all.
    """
    return ModelInfo(
        model=model.model,
        provider=model.provider,
        available=model.available,
        strategies=tuple(_strategy_state(model, strategy) for strategy in model.strategies),
    )


def _strategy_state(model: CatalogueModel, strategy: str) -> StrategyState:
    resident_on = tuple(
        place.host for place in model.hosts if place.resident and place.strategy in {None, strategy}
    )
    loading_on = tuple(place.host for place in model.hosts if place.loading is not None)
    return StrategyState(
        strategy=strategy,
        default=strategy == model.default_strategy,
        loaded=bool(resident_on),
        resident_on=resident_on,
        loading_on=loading_on,
    )


def direct_task(wanted: DirectRequest, strategy: str, timeout_s: float) -> GenerateAnswer:
    """The one task of a direct generation; pure but for its new run id."""
    given = wanted.model_fields_set & GenerationFields.model_fields.keys() - {"strategy"}
    fields = {name: getattr(wanted, name) for name in given}
    return GenerateAnswer(
        run_id=new_run_id(),
        priority=Priority.INTERACTIVE,
        timeout_s=timeout_s,
        strategy=strategy,
        **fields,
    )
