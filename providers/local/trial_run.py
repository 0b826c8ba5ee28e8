"""A few tokens before a model counts as ready: does it batch, and is everything set up?"""

import asyncio

from contracts.errors import OutOfMemory
from contracts.prompt import ChatMessage
from providers.cancellation import Cancellation
from providers.foreign_error import describe
from providers.generation_job import GenerationJob
from providers.local.batch_engine import BatchEngine
from providers.local.batchable import is_compared
from providers.local.engine import Engine
from providers.local.generation import TextGenerator
from providers.local.prepared_job import JobPreparer
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

# The second token is the first that is made from the cache.
_NUM_TRIAL_TOKENS = 2
_NUM_COMPARED_TOKENS = 4
_TRIAL = Strategy(key="trial", promise="A few tokens, to see whether they come.")


def try_batch(engine: BatchEngine, preparer: JobPreparer, entry: ModelEntry) -> str | None:
    """Why the model must not be batched, found out by doing it; None where all is well. Blocks.

    An architecture that nobody has compared yet is compared with a plain ``generate`` here, as far
    as its number type is exact enough for that.

    Raises: OutOfMemory.
    """
    compare = not is_compared(preparer.checkpoint.model)
    job = _job(entry, _TRIAL, _NUM_COMPARED_TOKENS if compare else _NUM_TRIAL_TOKENS)
    try:
        batched = asyncio.run(engine.generate(job, on_text=None, cancel=Cancellation()))
    except OutOfMemory:
        engine.give_up()
        raise
    except Exception as exc:
        return f"a batched step fails: {describe(exc)}"
    if compare and preparer.checkpoint.model.dtype.itemsize >= 4:  # noqa: PLR2004 - bytes, float32
        plain = TextGenerator(preparer).generate(job, None, Cancellation())
        if plain.output != batched.output:
            return "batched it says something else than alone"
    return None


async def warm_up(engine: Engine, entry: ModelEntry, strategy: Strategy) -> None:
    """Make everything that is set up at first use."""
    job = _job(entry, strategy, _NUM_TRIAL_TOKENS, temperature=1.0)
    await engine.generate(job, on_text=None, cancel=Cancellation())


def _job(
    entry: ModelEntry, strategy: Strategy, max_tokens: int, temperature: float = 0.0
) -> GenerationJob:
    return GenerationJob(
        entry=entry,
        strategy=strategy,
        messages=(ChatMessage(role="user", content="Hello"),),
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=1.0,
        repetition_penalty=1.0,
        seed=0,
        stop=(),
    )
