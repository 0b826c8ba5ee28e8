"""Lets the summarizer ask a model, over the bus like everybody else."""

from collections.abc import Awaitable, Callable
from types import TracebackType

from bus.prompt_client import PromptClient
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.process import Process

MAX_TOKENS = 120
TIMEOUT_S = 15.0


class SummaryWriter:
    """``async with`` gives the function that answers a prompt with the summary model."""

    def __init__(self, process: Process) -> None:
        self._model = process.settings.summary_model or process.settings.default_model
        self._client = PromptClient(process.connection, process.publisher, process.stored)

    async def __aenter__(self) -> Callable[[str], Awaitable[str]]:
        await self._client.__aenter__()
        return self._write

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(exc_type, exc, traceback)

    async def _write(self, prompt: str) -> str:
        task = GenerateAnswer(
            run_id=new_run_id(),
            model=self._model,
            prompt=prompt,
            max_tokens=MAX_TOKENS,
            priority=Priority.BATCH,
            timeout_s=TIMEOUT_S,
        )
        return (await self._client.generate(task)).output
