"""A checkpoint as transformers alone runs it: what our engine is held against."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from benchmarks.generation_work import NUM_REQUESTS, Workload
from contracts.prompt import ChatMessage
from providers.local.batch_sizes import PAGE_TOKENS
from providers.local.hosting import PREFILL_TOKENS
from providers.local.prompt_template import PromptTemplate
from providers.registries.model_entry import ModelEntry

# One after the other takes as long for each: some of them tell the speed of all.
NUM_SEQUENTIAL = 4


class PlainModel:
    """The checkpoint as transformers alone runs it."""

    def __init__(self, folder: Path, entry: ModelEntry) -> None:
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._template = PromptTemplate(self.tokenizer, entry)
        self._manager: Any = self._model.init_continuous_batching(
            generation_config=_greedy(64),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=NUM_REQUESTS * 2048 // PAGE_TOKENS // 8,
                max_batch_tokens=PREFILL_TOKENS["cpu"],
                max_requests_per_batch=NUM_REQUESTS,
                use_cuda_graph=False,
                use_async_batching=False,
            ),
        )
        self._manager.start()

    def sequential(self, work: Workload) -> int:
        """One request after the other; some of them, as the others take no less."""
        some = self._requests(work)[:NUM_SEQUENTIAL]
        for ids, max_tokens in some:
            tensor = torch.tensor([ids])
            self._generate(tensor, torch.ones_like(tensor), max_tokens)
        return sum(max_tokens for _, max_tokens in some)

    def static_batch(self, work: Workload) -> int:
        """All requests padded into one batch, which ends with the longest."""
        rows = [ids for ids, _ in self._requests(work)]
        width = max(len(ids) for ids in rows)
        padded = torch.tensor([[0] * (width - len(ids)) + ids for ids in rows])
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in rows])
        self._generate(padded, mask, max(work.max_tokens))
        return sum(work.max_tokens)

    def bare_manager(self, work: Workload) -> int:
        """transformers' manager, fed and read directly."""
        for ids, max_tokens in self._requests(work):
            self._manager.add_request(ids, max_new_tokens=max_tokens, eos_token_id=-1)
        num_left = len(work.prompts)
        while num_left:
            output = self._manager.get_result(timeout=60)
            num_left -= output is not None and output.is_finished()
        return sum(work.max_tokens)

    def encode(self, prompt: str) -> list[int]:
        """The prompt as one turn of the user's."""
        message = ChatMessage(role="user", content=prompt)
        return list(self._template.encode((message,)))

    def close(self) -> None:
        """End the manager's thread."""
        self._manager.stop(block=True, hard_stop=True)

    def _requests(self, work: Workload) -> list[tuple[list[int], int]]:
        ids = [self.encode(prompt) for prompt in work.prompts]
        return list(zip(ids, work.max_tokens, strict=True))

    def _generate(self, ids: torch.Tensor, mask: torch.Tensor, max_tokens: int) -> None:
        with torch.inference_mode():
            self._model.generate(ids, attention_mask=mask, generation_config=_greedy(max_tokens))


def _greedy(max_tokens: int) -> GenerationConfig:
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_tokens, do_sample=False, eos_token_id=None, pad_token_id=0
    )
