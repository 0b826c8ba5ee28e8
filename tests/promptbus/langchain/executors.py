"""Executors at work in a thread of their own, for tests that block like the programs they are."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import ClassVar

import anyio
from anyio.from_thread import start_blocking_portal

from actors.actor import Actor, Step, handler
from actors.executor import Executor
from actors.runtime import ActorRuntime, Queue
from bus.topology import ensure_consumer, executor_consumer
from contracts.actor_kind import ActorKind
from contracts.errors import ProviderFailed
from contracts.event import AnswerGenerated, StepEvent
from contracts.generation import GenerationResult
from contracts.presence import HostReport, ModelReport
from contracts.prompt import Priority
from contracts.task import GenerateAnswer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from providers.echo_provider import EchoProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

ECHO = "echo"
ENDLESS = "endless"
BROKEN = "broken"


class EndlessExecutor(Actor):
    """Talks until it is cancelled; remembers what it was asked and which runs were cancelled."""

    kind: ClassVar[ActorKind] = ActorKind.EXECUTOR

    def __init__(self) -> None:
        self.asked: list[GenerateAnswer] = []
        self.cancelled: list[str] = []

    @handler
    async def generate(self, task: GenerateAnswer, step: Step) -> StepEvent:
        """Say ``la`` again and again; the model ``broken`` fails."""
        self.asked.append(task)
        if task.model == BROKEN:
            raise _Broken(provider=BROKEN, reason="it is broken")
        num_words = 0
        while not step.cancelled:
            await step.emit("la ")
            num_words += 1
            await anyio.sleep(0.02)
        self.cancelled.append(task.run_id)
        result = GenerationResult(
            output="la " * num_words,
            model=task.model,
            strategy=task.strategy or "standard",
            provider=ENDLESS,
            source="local",
            finish_reason="cancelled",
        )
        return AnswerGenerated(run_id=task.run_id, attempt=task.attempt, result=result)


class _Broken(ProviderFailed):
    """A fault that trying again does not mend."""

    retryable = False


def _report(model: str) -> ModelReport:
    return ModelReport(
        model=model,
        provider=ENDLESS,
        source="local",
        strategies=("standard",),
        default_strategy="standard",
        resident=True,
    )


@asynccontextmanager
async def _serving(settings: Settings, endless: EndlessExecutor) -> AsyncIterator[Process]:
    gateway = ProviderGateway(
        ModelRegistry.from_toml(()), StrategyRegistry.from_toml(), (EchoProvider(),)
    )
    stop, ready = anyio.Event(), anyio.Event()
    async with open_process(settings, "executors") as process, anyio.create_task_group() as tasks:
        runtime = ActorRuntime(
            connection=process.connection,
            publisher=process.publisher,
            journal=process.journal,
            stored=process.stored,
            board=process.board,
            version="0",
        )

        async def describe() -> HostReport:
            models = tuple(_report(model) for model in (ECHO, ENDLESS, BROKEN))
            return HostReport(host="stage", num_cpus=1, models=models)

        runtime.add(Executor(gateway), await _queues(process, ECHO), describe, name="stage")
        queues = [*await _queues(process, ENDLESS), *await _queues(process, BROKEN)]
        runtime.add(endless, queues, describe, name="stage-2")
        tasks.start_soon(runtime.run, stop, ready.set)
        await ready.wait()
        with anyio.fail_after(20):
            while not await process.board.present(max_age_s=0):
                await anyio.sleep(0.02)
        yield process
        stop.set()


async def _queues(process: Process, model: str) -> list[Queue]:
    consumers = [executor_consumer(model, priority) for priority in Priority]
    for consumer in consumers:
        await ensure_consumer(process.connection.jetstream, consumer)
    return [Queue(consumer, 16) for consumer in consumers]


@contextmanager
def executors(settings: Settings) -> Iterator[EndlessExecutor]:
    """Serve the models ``echo``, ``endless`` and ``broken`` on the server of ``settings``."""
    endless = EndlessExecutor()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_serving(settings, endless)),
    ):
        yield endless
