"""A provider without a model: it answers with what the user said last.

It makes the way to a model testable and measurable where no model is wanted, and costs almost
nothing itself. Its tokens are words.
"""

import asyncio
import re
import time

from contracts.errors import UnknownModel
from contracts.generation import FinishReason, Source
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.provider import Generated, LoadedModel, OnProgress, OnText, OnWait
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy
from providers.stop_cutter import StopCutter

_WORD = re.compile(r"\s*\S+(?:\s+$)?|\s+$")


class EchoProvider:
    """Repeats the last user message; honours ``max_tokens``, ``stop`` and cancellation.

    ``pause_s`` after each word makes it as slow as a model, where that is wanted.
    """

    name = "echo"
    source: Source = "local"
    available = True
    loads_models = False

    def __init__(self, pause_s: float = 0.0) -> None:
        self._pause_s = pause_s

    def holds(self, entry: ModelEntry) -> bool:
        """Always: there is nothing to hold."""
        return True

    async def generate(
        self,
        job: GenerationJob,
        *,
        on_text: OnText | None,
        on_wait: OnWait | None,
        cancel: Cancellation,
    ) -> Generated:
        """Answer at once, or word by word when ``on_text`` wants to hear it."""
        started_at = time.perf_counter()
        words, finish_reason = _answer(job)
        num_words = len(words)
        first_token_at = time.perf_counter() if words else None
        if on_text is not None:
            num_words = await self._speak(words, on_text, cancel)
        elif cancel.cancelled:
            num_words = 0
        if num_words < len(words):
            finish_reason = "cancelled"
        return Generated(
            output="".join(words[:num_words]),
            finish_reason=finish_reason,
            prompt_tokens=sum(len(message.content.split()) for message in job.messages),
            completion_tokens=num_words,
            cache_hit=True,
            load_time_ms=0.0,
            queue_time_ms=0.0,
            started_at=started_at,
            first_token_at=first_token_at if num_words else None,
            ended_at=time.perf_counter(),
        )

    async def _speak(self, words: list[str], on_text: OnText, cancel: Cancellation) -> int:
        for num_said, word in enumerate(words):
            if cancel.cancelled:
                return num_said
            on_text(word)
            await asyncio.sleep(self._pause_s)
        return len(words)

    def loaded(self) -> tuple[LoadedModel, ...]:
        """Nothing is ever resident: there is nothing to load."""
        return ()

    async def load(
        self, entry: ModelEntry, strategy: Strategy, on_progress: OnProgress | None
    ) -> LoadedModel:
        """There is nothing to load, so this succeeds at once."""
        if entry.provider != self.name:
            raise UnknownModel(model=entry.key, known=())
        return LoadedModel(model=entry.key, strategy=strategy.key, size_bytes=0)

    async def unload(self, model: str) -> bool:
        """There is nothing to free."""
        return False

    async def close(self) -> None:
        """There is nothing to free."""


def _answer(job: GenerationJob) -> tuple[list[str], FinishReason]:
    text = next((turn.content for turn in reversed(job.messages) if turn.role == "user"), "")
    if job.stop:
        cutter = StopCutter(job.stop)
        text = cutter.push(text) + cutter.flush()
    words = _WORD.findall(text)
    if len(words) > job.max_tokens:
        return words[: job.max_tokens], "length"
    return words, "stop"
