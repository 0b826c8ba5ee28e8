"""The actor around the provider gateway."""

from contextlib import aclosing
from typing import ClassVar

import anyio

from actors.actor import Actor, Step, failed_step, handler
from contracts.actor_kind import ActorKind
from contracts.errors import DeadlineExceeded, InvalidInput, ProviderFailed
from contracts.event import AnswerGenerated, StepEvent
from contracts.generation import GenerationFields, GenerationRequest, GenerationResult
from contracts.prompt import ChatMessage
from contracts.task import GenerateAnswer
from contracts.waiting import WaitNote
from providers.cancellation import Cancellation
from providers.provider_error import AnswerBrokeOff
from providers.provider_gateway import ProviderGateway


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
            try:
                result = await self._run(task, step, cancellation)
            except AnswerBrokeOff as exc:
                # Doing the step again would stream other words after those already heard.
                return failed_step(task, exc)
            return AnswerGenerated(run_id=task.run_id, attempt=task.attempt, result=result)
        late = DeadlineExceeded(what=f"generation with {task.model}", deadline_s=task.timeout_s)
        return failed_step(task, late)

    async def _run(
        self, task: GenerateAnswer, step: Step, cancellation: Cancellation
    ) -> GenerationResult:
        request = GenerationRequest.model_construct(
            **{name: getattr(task, name) for name in GenerationFields.model_fields}
        )
        return await self._fit(request, task.num_recalled, step, cancellation)

    async def _fit(
        self, request: GenerationRequest, num_recalled: int, step: Step, cancellation: Cancellation
    ) -> GenerationResult:
        """Generate, leaving out the oldest recalled turns while the context is too small."""
        while True:
            try:
                return await self._stream(request, step, cancellation)
            except InvalidInput as exc:
                if exc.field != "prompt" or num_recalled == 0:
                    raise
            num_dropped = (num_recalled + 1) // 2
            num_dropped = min(num_recalled, num_dropped + num_dropped % 2)
            num_recalled -= num_dropped
            messages = without_oldest(request.messages, num_dropped)
            request = request.model_copy(update={"messages": messages})

    async def _stream(
        self, request: GenerationRequest, step: Step, cancellation: Cancellation
    ) -> GenerationResult:
        async with aclosing(self._gateway.stream(request, cancel=cancellation)) as pieces:
            async for piece in pieces:
                if isinstance(piece, GenerationResult):
                    await step.finish()
                    return piece
                if isinstance(piece, WaitNote):
                    await step.report_wait(piece)
                else:
                    await step.emit(piece.text)
        raise ProviderFailed(provider=request.model, reason="the stream ended without a result")


def without_oldest(messages: tuple[ChatMessage, ...], num_dropped: int) -> tuple[ChatMessage, ...]:
    """``messages`` without the first ``num_dropped`` that are not from the system."""
    leading = tuple(message for message in messages if message.role == "system")
    turns = tuple(message for message in messages if message.role != "system")
    return (*leading, *turns[num_dropped:])
