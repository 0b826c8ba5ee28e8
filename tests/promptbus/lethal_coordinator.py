"""A coordinator that ends when it leads a certain prompt: what a fault in its own code does.

    python -m tests.promptbus.lethal_coordinator

It dies, by SIGKILL, as it is about to ask for the analysis of a prompt with the word ``kill``.
"""

import os
import signal
from collections.abc import Mapping

import anyio

from actors.coordinator import Coordinator, WaitFacts, WaitReporter
from actors.runtime import ActorRuntime, Queue
from bus.publisher import Publisher
from bus.topology import prompt_consumer
from contracts.actor_kind import ActorKind
from contracts.message import Message
from contracts.placement import HostPlacement
from contracts.prompt import Priority
from contracts.task import AnalyzePrompt
from promptbus.process import open_process
from promptbus.settings import load_settings


class LethalPublisher(Publisher):
    """Publishes, or kills the process."""

    async def send(
        self,
        subject: str,
        message: Message,
        *,
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Do as the prompt says."""
        if isinstance(message, AnalyzePrompt) and "kill" in message.prompt:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().send(subject, message, message_id=message_id, headers=headers)


async def main() -> None:
    """Serve until the process is ended."""
    settings = load_settings()

    async def served() -> frozenset[str]:
        return frozenset({"echo"})

    async def nothing_placed() -> tuple[HostPlacement, ...]:
        return ()

    async with open_process(settings, "lethal") as process:
        facts = WaitFacts(process.connection, process.board.hosts, nothing_placed)
        coordinator = Coordinator(
            connection=process.connection,
            journal=process.journal,
            publisher=LethalPublisher(process.connection, process.source),
            stored=process.stored,
            served=served,
            waits=WaitReporter(process.connection, facts.read),
        )
        runtime = ActorRuntime(
            connection=process.connection,
            publisher=process.publisher,
            journal=process.journal,
            stored=process.stored,
            board=process.board,
            version="0",
        )
        queues = [
            Queue(prompt_consumer(priority, settings.lease_s), settings.max_runs)
            for priority in Priority
        ]
        runtime.add_handler(ActorKind.COORDINATOR, coordinator.lead, queues)
        await runtime.run(anyio.Event())


if __name__ == "__main__":
    anyio.run(main)
