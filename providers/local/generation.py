"""One generation with one loaded checkpoint, on the calling thread."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteriaList

from contracts.errors import InvalidInput
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.detokenizer import Detokenizer
from providers.local.engine import Decoded
from providers.local.model_loader import Checkpoint
from providers.local.prompt_template import PromptTemplate
from providers.local.sampling import build_processors
from providers.local.token_watcher import TokenWatcher
from providers.provider import OnText
from providers.registries.model_entry import ModelEntry
from providers.stop_cutter import StopCutter


class TextGenerator:
    """A checkpoint with everything prepared that all its requests share.

    Not thread-safe: one generation at a time.
    """

    def __init__(
        self, checkpoint: Checkpoint, entry: ModelEntry, context_tokens: int | None
    ) -> None:
        self.checkpoint = checkpoint
        self.context_tokens = context_tokens
        self._template = PromptTemplate(checkpoint.tokenizer, entry)

    def generate(self, job: GenerationJob, on_text: OnText | None, cancel: Cancellation) -> Decoded:
        """Run ``job``; ``on_text`` is called on this thread.

        Raises: InvalidInput when the prompt leaves no room for an answer in the context.
        """
        started_at = time.perf_counter()
        watcher = TokenWatcher(
            eos_ids=self.checkpoint.eos_ids,
            detokenizer=Detokenizer(self._decode),
            cutter=StopCutter((*job.stop, *self._template.implied_stops)),
            on_text=on_text,
            cancel=cancel,
        )
        ids = self._template.encode(job.messages)
        max_tokens = self._clip(len(ids), job.max_tokens)
        if cancel.cancelled:
            return Decoded("", "cancelled", len(ids), 0, started_at, None, time.perf_counter())
        self._run(ids, max_tokens, job, watcher)
        output, finish_reason = watcher.finish()
        return Decoded(
            output=output,
            finish_reason=finish_reason,
            prompt_tokens=len(ids),
            completion_tokens=watcher.num_tokens,
            started_at=started_at,
            first_token_at=watcher.first_token_at,
            ended_at=time.perf_counter(),
        )

    def _run(
        self, ids: Sequence[int], max_tokens: int, job: GenerationJob, watcher: TokenWatcher
    ) -> None:
        model: Any = self.checkpoint.model
        device = self.checkpoint.device
        input_ids = torch.tensor([ids], device=device)
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_tokens, do_sample=False
        )
        with torch.inference_mode():
            model.generate(
                input_ids,
                attention_mask=torch.ones_like(input_ids),
                generation_config=config,
                logits_processor=build_processors(job, device),
                stopping_criteria=StoppingCriteriaList([watcher]),
            )

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

    def _decode(self, ids: Sequence[int]) -> str:
        return self.checkpoint.decode(ids) if ids else ""
