"""Tokens per second of one model on this machine: ours, and what it is held against.

Run: ``python -m benchmarks.local_generation [--rounds 5] [--threads 2]``. The ways alternate within
each round, because the speed of a shared machine drifts; ratios are taken within rounds.
"""

import argparse
import asyncio
import gc
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from benchmarks.figure import Figure, judged, table_of
from benchmarks.measure import compare, p50
from benchmarks.random_llama import LARGE, SMALL, RandomLlama, save_random_llama
from contracts.prompt import ChatMessage
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.batch_sizes import PAGE_TOKENS
from providers.local.engine import Engine
from providers.local.hosting import PREFILL_TOKENS, host_model
from providers.local.manager.memory_plan import Reservation
from providers.local.prompt_template import PromptTemplate
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy, StrategyRegistry

NUM_REQUESTS = 16
NUM_SEQUENTIAL = 3
KV_BYTES = 256 << 20
MIN_OF_BARE, MIN_OF_STATIC, MIN_OF_STANDARD = 0.97, 1.0, 1.5

SEQUENTIAL, STATIC, BARE = "sequential generate", "static padded batch", "bare manager"
ENGINE, OPTIMIZED = "engine, standard", "engine, optimized"


@dataclass(frozen=True, slots=True)
class Workload:
    """Concurrent requests: the prompt of each and how many tokens it gets."""

    name: str
    prompts: tuple[str, ...]
    max_tokens: tuple[int, ...]


def workloads() -> tuple[Workload, ...]:
    """Sixteen requests of 64 tokens, and of 8 to 120."""
    prompts = tuple(f"Tell me of journal number {number}" for number in range(NUM_REQUESTS))
    lengths = random.Random(1)
    mixed = tuple(lengths.randint(8, 120) for _ in prompts)
    return Workload("16 of 64", prompts, (64,) * len(prompts)), Workload(
        "16 of 8..120", prompts, mixed
    )


def _message(prompt: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=prompt),)


class PlainModel:
    """The checkpoint as transformers alone runs it."""

    def __init__(self, folder: Path, entry: ModelEntry) -> None:
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder)
        self._template = PromptTemplate(AutoTokenizer.from_pretrained(folder), entry)
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

    def close(self) -> None:
        """End the manager's thread."""
        self._manager.stop(block=True, hard_stop=True)

    def _requests(self, work: Workload) -> list[tuple[list[int], int]]:
        ids = [self._template.encode(_message(prompt)) for prompt in work.prompts]
        return list(zip(ids, work.max_tokens, strict=True))

    def _generate(self, ids: torch.Tensor, mask: torch.Tensor, max_tokens: int) -> None:
        with torch.inference_mode():
            self._model.generate(ids, attention_mask=mask, generation_config=_greedy(max_tokens))


def _greedy(max_tokens: int) -> GenerationConfig:
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_tokens, do_sample=False, eos_token_id=None, pad_token_id=0
    )


class OurEngine:
    """A hosted model, asked as the provider asks it, with every piece of text handed out."""

    def __init__(self, entry: ModelEntry, strategy: Strategy, num_threads: int) -> None:
        self._entry, self._strategy = entry, strategy
        self._engine: Engine = host_model(
            entry,
            strategy,
            Reservation({"cpu": 4 << 30}, KV_BYTES),
            lambda done, total: None,
            num_threads=num_threads,
        )
        self._loop = asyncio.new_event_loop()

    def run(self, work: Workload) -> int:
        """All requests at once."""
        return self._loop.run_until_complete(self._run(work))

    async def _run(self, work: Workload) -> int:
        pieces: list[str] = []
        jobs = [
            GenerationJob(
                entry=self._entry,
                strategy=self._strategy,
                messages=_message(prompt),
                max_tokens=max_tokens,
                temperature=0.0,
                top_p=1.0,
                repetition_penalty=1.0,
                seed=None,
                stop=(),
            )
            for prompt, max_tokens in zip(work.prompts, work.max_tokens, strict=True)
        ]
        decoded = await asyncio.gather(
            *(
                self._engine.generate(job, on_text=pieces.append, cancel=Cancellation())
                for job in jobs
            )
        )
        return sum(one.completion_tokens for one in decoded)

    def close(self) -> None:
        """Free the model."""
        self._loop.run_until_complete(self._engine.close())
        self._loop.close()


def measure(size: RandomLlama, rounds: int, num_threads: int, folder: Path) -> list[Figure]:
    """Figures of one size of model."""
    save_random_llama(size, folder)
    entry = ModelEntry(key="random", source=str(folder))
    registry = StrategyRegistry.from_toml()
    torch.set_num_threads(num_threads)
    plain = PlainModel(folder, entry)
    engines = {
        name: OurEngine(entry, registry.get(key, entry), num_threads)
        for name, key in ((ENGINE, "standard"), (OPTIMIZED, "optimized"))
    }
    ways: dict[str, Callable[[Workload], int]] = {
        SEQUENTIAL: plain.sequential,
        STATIC: plain.static_batch,
        BARE: plain.bare_manager,
        **{name: engine.run for name, engine in engines.items()},
    }
    figures = [figure for work in workloads() for figure in _measure_work(size, work, ways, rounds)]
    plain.close()
    for engine in engines.values():
        engine.close()
    gc.collect()
    return figures


def _measure_work(
    size: RandomLlama, work: Workload, ways: dict[str, Callable[[Workload], int]], rounds: int
) -> list[Figure]:
    for way in ways.values():
        way(work)
    speeds: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        # The order turns, so that no way always follows the same one.
        names = list(ways)[number % len(ways) :] + list(ways)[: number % len(ways)]
        for name in names:
            began = time.perf_counter()
            num_tokens = ways[name](work)
            speeds[name].append(num_tokens / (time.perf_counter() - began))
    return [_figure(f"{size.name}, {work.name}: {name}", name, work, speeds) for name in ways]


def _figure(title: str, name: str, work: Workload, speeds: Mapping[str, Sequence[float]]) -> Figure:
    value = f"{p50(speeds[name]):.0f} tokens/s"
    rivals = {ENGINE: ((BARE, MIN_OF_BARE), (STATIC, MIN_OF_STATIC)), OPTIMIZED: ()}
    if name == OPTIMIZED:
        rivals = {OPTIMIZED: ((ENGINE, MIN_OF_STANDARD),)}
    promised = [
        (rival, least)
        for rival, least in rivals.get(name, ())
        if rival != STATIC or len(set(work.max_tokens)) > 1
    ]
    if not promised:
        return Figure(title, value)
    ratios = {rival: compare(speeds[name], speeds[rival]).ratio for rival, _ in promised}
    return Figure(
        title,
        value,
        beside=", ".join(f"{rival} {p50(speeds[rival]):.0f}" for rival, _ in promised),
        ratio=", ".join(f"{ratio:.2f}" for ratio in ratios.values()),
        mark=", ".join(f"at least {least:g}" for _, least in promised),
        met=judged(holds=all(ratios[rival] >= least for rival, least in promised)),
    )


def main() -> None:
    """Measure both sizes and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", nargs="*", default=[SMALL.name, LARGE.name])
    options = parser.parse_args()
    figures: list[Figure] = []
    for size in (SMALL, LARGE):
        if size.name in options.sizes:
            with tempfile.TemporaryDirectory() as folder:
                figures += measure(size, options.rounds, options.threads, Path(folder))
    Console().print(table_of(figures))


if __name__ == "__main__":
    main()
