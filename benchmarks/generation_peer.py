"""transformers alone, as a contestant: one after the other, one padded batch, its bare manager.

Run with the checkpoint's folder. A job is a whole workload; ``first`` is one prompt's first token.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.generation.streamers import BaseStreamer

from benchmarks.batch_server import serve
from benchmarks.generation_work import EQUAL, WORKLOADS, Workload
from benchmarks.plain_model import PlainModel
from providers.registries.model_entry import ModelEntry


async def main(folder: Path, num_threads: int) -> None:
    """Serve batches of ``sequential``, ``static``, ``bare`` by workload, and ``first``."""
    torch.set_num_threads(num_threads)
    entry = ModelEntry(key="random", source=str(folder))
    plain = PlainModel(folder, entry)
    jobs: dict[str, Callable[[], Awaitable[Mapping[str, float]]]] = {}
    for name, way in (
        ("sequential", plain.sequential),
        ("static", plain.static_batch),
        ("bare", plain.bare_manager),
    ):
        for suffix, work in WORKLOADS.items():
            jobs[name + suffix] = _job(name + suffix, way, work)
    # A model of its own: the manager has put its own attention into the other one.
    streaming: Any = AutoModelForCausalLM.from_pretrained(folder)

    async def first() -> Mapping[str, float]:
        return {"first": await asyncio.to_thread(_first_token_ms, streaming, plain)}

    await serve({**jobs, "first": first})
    plain.close()


def _job(
    name: str, way: Callable[[Workload], int], work: Workload
) -> Callable[[], Awaitable[Mapping[str, float]]]:
    async def job() -> Mapping[str, float]:
        began = time.perf_counter()
        num_tokens = await asyncio.to_thread(way, work)
        took_ms = (time.perf_counter() - began) * 1000
        return {name: took_ms * work.num_tokens / num_tokens}

    return job


class _FirstToken(BaseStreamer):
    """Notes when the first token comes; what is put before it is the prompt."""

    def __init__(self) -> None:
        self.num_puts = 0
        self.at_s = 0.0

    def put(self, value: torch.Tensor) -> None:
        """Take tokens as they come."""
        self.num_puts += 1
        if self.num_puts == 2:
            self.at_s = time.perf_counter()

    def end(self) -> None:
        """Nothing follows."""


def _first_token_ms(model: Any, plain: PlainModel) -> float:
    """From the text of the prompt to the first token, in this process."""
    began, streamer = time.perf_counter(), _FirstToken()
    ids = torch.tensor([plain.encode(EQUAL.prompts[0])])
    with torch.inference_mode():
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=8,
            do_sample=False,
            streamer=streamer,
        )
    return (streamer.at_s - began) * 1000


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
