"""An executor whose provider ends the whole process when it is told to: what a bad kernel does.

    python -m tests.promptbus.lethal_executor

A word ``kill`` in the prompt is SIGKILL, at once; anything else is echoed after a moment.
"""

import asyncio
import os
import signal

import anyio

from actors.executor import Executor, QueueSet
from actors.runtime import ActorRuntime
from bus.placement_board import PlacementBoard
from contracts.presence import HostReport
from promptbus.process import ENDS, open_process
from promptbus.settings import load_settings
from providers.cancellation import Cancellation
from providers.echo_provider import EchoProvider
from providers.generation_job import GenerationJob
from providers.provider import Generated, OnText, OnWait
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

PAUSE_S = 0.2


class LethalProvider(EchoProvider):
    """Echoes, or kills the process."""

    async def generate(
        self,
        job: GenerationJob,
        *,
        on_text: OnText | None,
        on_wait: OnWait | None,
        cancel: Cancellation,
    ) -> Generated:
        """Do as the prompt says."""
        if any("kill" in message.content for message in job.messages):
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(PAUSE_S)
        return await super().generate(job, on_text=on_text, on_wait=on_wait, cancel=cancel)


async def main() -> None:
    """Serve until the process is ended."""
    settings = load_settings()
    gateway = ProviderGateway(
        ModelRegistry.from_toml(), StrategyRegistry.from_toml(), (LethalProvider(),)
    )

    async def describe() -> HostReport:
        return HostReport(host=settings.executor_name, num_cpus=1, models=gateway.models())

    async with open_process(settings, "lethal", ENDS) as process:
        runtime = ActorRuntime(
            connection=process.connection,
            publisher=process.publisher,
            journal=process.journal,
            stored=process.stored,
            board=process.board,
            version="0",
        )
        queues = QueueSet(
            host=settings.executor_name,
            gateway=gateway,
            describe=describe,
            connection=process.connection,
            placements=PlacementBoard(process.connection, process.publisher),
            max_in_flight=settings.max_generations,
            lease_s=settings.lease_s,
        )
        runtime.add(Executor(gateway), (), describe, name=settings.executor_name, source=queues)
        await runtime.run(anyio.Event())


if __name__ == "__main__":
    anyio.run(main)
