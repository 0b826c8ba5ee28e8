"""A job as its checkpoint takes it: token ids, room for an answer, and how to choose tokens."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contracts.errors import InvalidInput
from providers.generation_job import GenerationJob
from providers.local.answer_text import AnswerText
from providers.local.detokenizer import Detokenizer
from providers.local.json_constraint import JsonCompiler, JsonConstraint
from providers.local.model_loader import Checkpoint
from providers.local.prompt_template import PromptTemplate
from providers.local.sampling import TokenChooser, build_chooser
from providers.provider import OnText
from providers.registries.model_entry import ModelEntry
from providers.stop_cutter import StopCutter

# Longer prompts are tokenised on a thread: ten thousand characters take some ten milliseconds.
_MAX_INLINE_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """What a generation begins with."""

    token_ids: list[int]
    max_tokens: int
    chooser: TokenChooser
    constraint: JsonConstraint | None


class JobPreparer:
    """Prepares jobs for one checkpoint; ``context_tokens`` bounds prompt and answer together."""

    def __init__(
        self, checkpoint: Checkpoint, entry: ModelEntry, context_tokens: int | None
    ) -> None:
        self.checkpoint = checkpoint
        self.context_tokens = context_tokens
        self._template = PromptTemplate(checkpoint.tokenizer, entry)
        vocab_size = checkpoint.model.config.get_text_config().vocab_size
        self._compiler = JsonCompiler(checkpoint.tokenizer, vocab_size, checkpoint.eos_ids)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare")

    async def prepare(self, job: GenerationJob) -> PreparedJob:
        """:meth:`prepare_now`, on a thread where it would hold up the event loop."""
        num_chars = sum(len(turn.content) for turn in job.messages)
        if num_chars <= _MAX_INLINE_CHARS and job.response_format is None:
            return self.prepare_now(job)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.prepare_now, job)

    def prepare_now(self, job: GenerationJob) -> PreparedJob:
        """Everything that ``job`` needs before its first token.

        Raises: InvalidInput when the prompt leaves no room for an answer, the template refuses the
        turns, or the response format cannot be enforced.
        """
        constraint = self._compiler.compile(job.response_format)
        ids = self._template.encode(job.messages)
        max_tokens = self._clip(len(ids), job.max_tokens)
        chooser = build_chooser(job, len(ids), constraint.copy() if constraint else None)
        return PreparedJob(ids, max_tokens, chooser, constraint)

    def begin_answer(
        self, job: GenerationJob, prepared: PreparedJob, on_text: OnText | None
    ) -> AnswerText:
        """The answer that the job's tokens will make."""
        return AnswerText(
            eos_ids=self.checkpoint.eos_ids,
            detokenizer=Detokenizer(lambda ids: self.checkpoint.decode(ids) if ids else ""),
            cutter=StopCutter((*job.stop, *self._template.implied_stops)),
            on_text=on_text,
            constraint=prepared.constraint,
        )

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False)

    def _clip(self, num_prompt_tokens: int, max_tokens: int) -> int:
        context = self.context_tokens
        if context is None:
            return max_tokens
        if num_prompt_tokens >= context:
            raise InvalidInput(
                field="prompt",
                reason=f"is {num_prompt_tokens} tokens long; the model's context is {context}",
                limit=context,
                cure="shorten the prompt or its history, or choose a model with more context",
            )
        return min(max_tokens, context - num_prompt_tokens)
