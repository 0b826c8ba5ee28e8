"""The actor around the provider gateway."""

from contextlib import aclosing
from typing import ClassVar

import anyio
from opentelemetry import trace

from actors.actor import Actor, Step, failed_step, handler
from contracts import semconv
from contracts.actor_kind import ActorKind
from contracts.errors import DeadlineExceeded, ProviderFailed
from contracts.event import AnswerGenerated, StepEvent
from contracts.generation import GenerationFields, GenerationRequest, GenerationResult
from contracts.task import GenerateAnswer
from providers.cancellation import Cancellation
from providers.provider_gateway import ProviderGateway

tracer = trace.get_tracer("promptbus")


class Executor(Actor):
    """Generates by way of the gateway, streams the text, stops when the run is cancelled."""

    kind: ClassVar[ActorKind] = ActorKind.EXECUTOR

    def __init__(self, gateway: ProviderGateway) -> None:
        self._gateway = gateway

    @handler
    async def generate(self, task: GenerateAnswer, step: Step) -> StepEvent:
        """Generate one answer.

        A generation that takes longer than ``task.timeout_s`` is stopped, and the step fails.
        """
        cancellation = Cancellation()
        step.on_cancel(cancellation.cancel)
        with anyio.move_on_after(task.timeout_s):
            result = await self._run(task, step, cancellation)
            return AnswerGenerated(run_id=task.run_id, attempt=task.attempt, result=result)
        late = DeadlineExceeded(what=f"generation with {task.model}", deadline_s=task.timeout_s)
        return failed_step(self.kind, task, late)

    async def _run(
        self, task: GenerateAnswer, step: Step, cancellation: Cancellation
    ) -> GenerationResult:
        request = GenerationRequest.model_construct(
            task.model_fields_set & GenerationFields.model_fields.keys(),
            **{name: getattr(task, name) for name in GenerationFields.model_fields},
        )
        with tracer.start_as_current_span(
            f"chat {task.model}", attributes=_request_attributes(task)
        ) as span:
            result = await self._stream(request, step, cancellation)
            span.set_attributes(_result_attributes(result))
            return result

    async def _stream(
        self, request: GenerationRequest, step: Step, cancellation: Cancellation
    ) -> GenerationResult:
        async with aclosing(self._gateway.stream(request, cancel=cancellation)) as pieces:
            async for piece in pieces:
                if isinstance(piece, GenerationResult):
                    await step.finish()
                    return piece
                await step.emit(piece.text)
        raise ProviderFailed(provider=request.model, reason="the stream ended without a result")


def _request_attributes(task: GenerateAnswer) -> dict[str, str | int | float]:
    return {
        semconv.GEN_AI_OPERATION: "chat",
        semconv.GEN_AI_REQUEST_MODEL: task.model,
        semconv.GEN_AI_REQUEST_MAX_TOKENS: task.max_tokens,
        semconv.GEN_AI_REQUEST_TEMPERATURE: task.temperature,
    }


def _result_attributes(result: GenerationResult) -> dict[str, str | int | float | list[str]]:
    return {
        semconv.GEN_AI_PROVIDER: f"promptbus.{result.provider}",
        semconv.GEN_AI_FINISH_REASONS: [result.finish_reason],
        semconv.GEN_AI_INPUT_TOKENS: result.usage.prompt_tokens,
        semconv.GEN_AI_OUTPUT_TOKENS: result.usage.completion_tokens,
    }
