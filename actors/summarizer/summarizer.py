"""The summarizer actor: title, one line and totals of a run that has its outcome."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from actors.actor import Actor, handler
from actors.summarizer.extract import summarize_output
from actors.summarizer.title import make_title
from actors.summarizer.writing import Written, build_prompt, parse_written
from contracts.actor_kind import ActorKind
from contracts.errors import PromptbusError
from contracts.event import RunSummarized
from contracts.task import SummarizeRun

logger = logging.getLogger(__name__)

# A summary is a convenience: nobody waits for it longer than for the answer itself.
DEFAULT_TIMEOUT_S: Final = 20.0
# Below this the work takes less than a hop to a thread and back is worth.
_MAX_INLINE_CHARS: Final = 8192


class Summarizer(Actor):
    """Summarizes by extraction, or with a model where ``write`` is given.

    ``write`` takes a prompt and returns what a model answered to it. When it raises a
    PromptbusError, takes longer than ``timeout_s`` or answers something of no use, extraction
    stands in for it.
    """

    kind: ClassVar[ActorKind] = ActorKind.SUMMARIZER

    def __init__(
        self,
        write: Callable[[str], Awaitable[str]] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._write = write
        self._timeout_s = timeout_s

    @handler
    async def summarize(self, task: SummarizeRun) -> RunSummarized:
        """Title (at most 60 characters), summary (at most 160) and totals of the run."""
        written = await self._written(task)
        if written.title is None or written.summary is None:
            extracted = await _extracted(task)
            written = Written(
                title=written.title or extracted.title, summary=written.summary or extracted.summary
            )
        return RunSummarized(
            run_id=task.run_id,
            attempt=task.attempt,
            title=written.title or "",
            summary=written.summary or "",
            total_tokens=task.total_tokens,
            total_time_ms=round(sum(step.duration_ms for step in task.steps), 3),
        )

    async def _written(self, task: SummarizeRun) -> Written:
        """What the model wrote; empty where there is none or it cannot be used."""
        if self._write is None or task.local_only:
            return Written()
        try:
            async with asyncio.timeout(self._timeout_s):
                return parse_written(await self._write(build_prompt(task)))
        except PromptbusError as exc:
            logger.warning("run %s: summary by extraction, %s", task.run_id, exc.code)
        except TimeoutError:
            logger.warning(
                "run %s: summary by extraction, no answer in %g s", task.run_id, self._timeout_s
            )
        return Written()


async def _extracted(task: SummarizeRun) -> Written:
    if len(task.prompt) + len(task.output) <= _MAX_INLINE_CHARS:
        return _extract(task)
    return await asyncio.to_thread(_extract, task)


def _extract(task: SummarizeRun) -> Written:
    return Written(
        title=make_title(task.prompt, task.language),
        summary=summarize_output(task.output, task.language),
    )
