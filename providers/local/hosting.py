"""Making a model ready to generate: load it, and warm it up where the strategy promises that."""

import torch

from contracts.prompt import ChatMessage
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.generation import TextGenerator
from providers.local.manager.model_manager import OnBytes
from providers.local.model_loader import load_checkpoint
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy


def host_model(
    entry: ModelEntry, strategy: Strategy, on_bytes: OnBytes, *, num_threads: int | None
) -> TextGenerator:
    """The entry's model, ready to generate.

    Raises: ModelLoadFailed.
    """
    if num_threads is not None and torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)
    generator = TextGenerator(load_checkpoint(entry, strategy, on_bytes), entry)
    if strategy.warm_up:
        generator.generate(_warm_up_job(entry, strategy), None, Cancellation())
    return generator


def _warm_up_job(entry: ModelEntry, strategy: Strategy) -> GenerationJob:
    return GenerationJob(
        entry=entry,
        strategy=strategy,
        messages=(ChatMessage(role="user", content="Hello"),),
        max_tokens=2,
        temperature=1.0,
        top_p=1.0,
        repetition_penalty=1.0,
        seed=0,
        stop=(),
    )
