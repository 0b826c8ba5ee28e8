"""Loading a checkpoint, as a contestant: ours, or transformers alone.

Run with ``ours`` or ``plain``, the checkpoint's folder and the number of threads. The one job
``load`` loads twice: until the model could generate, its weights read from the file and not only
mapped, and until the first token of a prompt.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from benchmarks.batch_server import serve
from benchmarks.generation_work import EQUAL
from contracts.generation import GenerationRequest
from contracts.prompt import ChatMessage
from providers.cancellation import Cancellation
from providers.generation_job import build_job
from providers.local.local_provider import LocalProvider
from providers.local.mapped_weights import read_weights
from providers.local.prompt_template import PromptTemplate
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import StrategyRegistry

Job = Callable[[], Awaitable[Mapping[str, float]]]
PROMPT = EQUAL.prompts[0]


def plain_job(entry: ModelEntry, num_threads: int) -> Job:
    """``from_pretrained`` of model and tokenizer, and ``generate``."""
    torch.set_num_threads(num_threads)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    def load() -> tuple[Any, Any]:
        model: Any = AutoModelForCausalLM.from_pretrained(entry.source)
        return model, AutoTokenizer.from_pretrained(entry.source)

    def until_ready() -> None:
        model, _ = load()
        read_weights(model)

    def until_first_token() -> None:
        model, tokenizer = load()
        template = PromptTemplate(tokenizer, entry)
        ids = torch.tensor([template.encode((ChatMessage(role="user", content=PROMPT),))])
        with torch.inference_mode():
            mask = torch.ones_like(ids)
            model.generate(ids, attention_mask=mask, max_new_tokens=1, do_sample=False)

    async def job() -> Mapping[str, float]:
        return {
            "load": await _took_ms(asyncio.to_thread(until_ready)),
            "load_first": await _took_ms(asyncio.to_thread(until_first_token)),
        }

    return job


def our_job(entry: ModelEntry, num_threads: int) -> Job:
    """The local provider's load and generation, memory ledger and queue included."""
    provider = LocalProvider(num_threads=num_threads)
    standard = StrategyRegistry.from_toml().get("standard", entry)
    request = GenerationRequest(model=entry.key, prompt=PROMPT, max_tokens=1, temperature=0.0)
    asked = build_job(request, entry, standard)

    async def job() -> Mapping[str, float]:
        load_ms = await _took_ms(provider.load(entry, standard, None))
        await provider.unload(entry.key)
        generation = provider.generate(asked, on_text=None, on_wait=None, cancel=Cancellation())
        first_ms = await _took_ms(generation)
        await provider.unload(entry.key)
        return {"load": load_ms, "load_first": first_ms}

    return job


async def _took_ms(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


async def main(side: str, folder: Path, num_threads: int) -> None:
    """Serve batches of ``load``."""
    entry = ModelEntry(key="random", source=str(folder))
    make = {"ours": our_job, "plain": plain_job}[side]
    await serve({"load": make(entry, num_threads)})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
