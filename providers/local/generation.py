"""One generation with one loaded checkpoint, on the calling thread."""

import time
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.answer_text import AnswerText
from providers.local.engine import Decoded
from providers.local.prepared_job import JobPreparer, PreparedJob
from providers.local.sampling import ChoiceProcessor
from providers.local.token_watcher import TokenWatcher
from providers.provider import OnText


class TextGenerator:
    """A checkpoint with everything prepared that all its requests share.

    Not thread-safe: one generation at a time.
    """

    def __init__(self, preparer: JobPreparer) -> None:
        self.checkpoint = preparer.checkpoint
        self.context_tokens = preparer.context_tokens
        self._preparer = preparer

    def generate(self, job: GenerationJob, on_text: OnText | None, cancel: Cancellation) -> Decoded:
        """Run ``job``; ``on_text`` is called on this thread.

        Raises: InvalidInput when the prompt leaves no room for an answer in the context.
        """
        started_at = time.perf_counter()
        prepared = self._preparer.prepare_now(job)
        answer = self._preparer.begin_answer(job, prepared, on_text)
        if cancel.cancelled:
            answer.cancel()
        else:
            self._run(prepared, answer, cancel)
        output, finish_reason = answer.finish()
        return Decoded(
            output=output,
            finish_reason=finish_reason,
            prompt_tokens=len(prepared.token_ids),
            completion_tokens=answer.num_tokens,
            started_at=started_at,
            first_token_at=answer.first_token_at,
            ended_at=time.perf_counter(),
        )

    def _run(self, prepared: PreparedJob, answer: AnswerText, cancel: Cancellation) -> None:
        model: Any = self.checkpoint.model
        input_ids = torch.tensor([prepared.token_ids], device=self.checkpoint.device)
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=prepared.max_tokens, do_sample=False
        )
        chooser = prepared.chooser
        processors = [] if chooser.is_plain else [ChoiceProcessor(chooser)]
        with torch.inference_mode():
            model.generate(
                input_ids,
                attention_mask=torch.ones_like(input_ids),
                generation_config=config,
                logits_processor=LogitsProcessorList(processors),
                stopping_criteria=StoppingCriteriaList([TokenWatcher(answer, cancel)]),
            )
