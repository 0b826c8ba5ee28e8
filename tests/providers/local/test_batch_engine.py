"""What only an engine that batches does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from contracts.errors import OutOfMemory, ProviderFailed
from providers.cancellation import Cancellation
from providers.local.batch_engine import BatchEngine
from providers.local.batch_sizes import PAGE_TOKENS, BatchSizes
from providers.local.device_placement import DevicePlacement
from providers.local.engine import Decoded
from providers.local.hosting import host_model
from providers.local.manager.memory_plan import Reservation
from providers.local.model_loader import load_checkpoint
from providers.local.prepared_job import JobPreparer
from providers.local.serial_engine import SerialEngine
from providers.registries.strategy_registry import StrategyRegistry
from tests.providers.local.conftest import HostEngine, entry_of, job_of

SIZES = BatchSizes(slots=4, max_batch_tokens=64, page_tokens=PAGE_TOKENS, num_blocks=32)


def build_engine(folder: Path, sizes: BatchSizes = SIZES) -> tuple[BatchEngine, Any]:
    """An engine, and the model that it runs."""
    entry = entry_of(folder)
    checkpoint = load_checkpoint(entry, "checkpoint", DevicePlacement("cpu", {}), lambda *_: None)
    preparer = JobPreparer(checkpoint, entry, sizes.capacity_tokens)
    return BatchEngine(preparer, sizes), checkpoint.model


class Hungry(nn.Module):
    """Asks the host for more memory than there is."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.empty(1 << 50)


async def test_a_request_joins_others_that_are_underway_and_leaves_before_them(
    host_engine: HostEngine, endless_checkpoint: Path
) -> None:
    async with host_engine(BatchEngine, endless_checkpoint) as engine:
        cancel, underway, heard = Cancellation(), asyncio.Event(), list[str]()

        def hear(text: str) -> None:
            heard.append(text)
            underway.set()

        long = asyncio.create_task(
            engine.generate(
                job_of(endless_checkpoint, max_tokens=8000), on_text=hear, cancel=cancel
            )
        )
        await underway.wait()
        short = await engine.generate(
            job_of(endless_checkpoint, max_tokens=10), on_text=None, cancel=Cancellation()
        )
        assert short.completion_tokens == 10
        assert not long.done()
        cancel.cancel()
        assert (await long).output == "".join(heard)


async def test_requests_that_overflow_the_cache_all_get_their_whole_text(
    endless_checkpoint: Path, host_engine: HostEngine
) -> None:
    # Four requests of up to 250 tokens, and room for 320: some are put aside and taken up again.
    sizes = BatchSizes(slots=4, max_batch_tokens=64, page_tokens=PAGE_TOKENS, num_blocks=10)
    fields: dict[str, Any] = {"max_tokens": 200, "temperature": 1.0}
    jobs = [job_of(endless_checkpoint, seed=seed, **fields) for seed in range(4)]
    engine, _ = build_engine(endless_checkpoint, sizes)
    together = await asyncio.gather(
        *(engine.generate(job, on_text=None, cancel=Cancellation()) for job in jobs)
    )
    await engine.close()
    async with host_engine(SerialEngine, endless_checkpoint) as serial:
        alone = [await serial.generate(job, on_text=None, cancel=Cancellation()) for job in jobs]
    assert [one.output for one in together] == [one.output for one in alone]


async def test_all_slots_cancelled_at_once_are_free_again(
    host_engine: HostEngine, endless_checkpoint: Path
) -> None:
    async with host_engine(BatchEngine, endless_checkpoint) as engine:
        cancels = [Cancellation() for _ in range(3 * engine.slots)]
        running = [
            asyncio.create_task(
                engine.generate(
                    job_of(endless_checkpoint, max_tokens=8000), on_text=None, cancel=cancel
                )
            )
            for cancel in cancels
        ]
        # The last of them are cancelled in the very moment in which they are handed over.
        await asyncio.sleep(0.05)
        for cancel in cancels:
            cancel.cancel()
        decoded = await asyncio.gather(*running)
        assert {one.finish_reason for one in decoded} == {"cancelled"}
        after = await engine.generate(
            job_of(endless_checkpoint, max_tokens=3), on_text=None, cancel=Cancellation()
        )
        assert after.completion_tokens == 3


@pytest.mark.parametrize(
    ("head", "error"), [(nn.Linear(3, 3), ProviderFailed), (Hungry(), OutOfMemory)]
)
async def test_a_fault_in_a_step_fails_its_generations_and_the_model_can_be_loaded_anew(
    endless_checkpoint: Path, head: nn.Module, error: type[Exception]
) -> None:
    engine, model = build_engine(endless_checkpoint)
    underway = asyncio.Event()
    job = job_of(endless_checkpoint, max_tokens=900)
    running = [
        asyncio.create_task(
            engine.generate(job, on_text=lambda _: underway.set(), cancel=Cancellation())
        )
        for _ in range(3)
    ]
    await underway.wait()
    model.lm_head = head
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert [type(one) for one in outcomes] == [error] * 3
    assert not engine.is_alive
    with pytest.raises(error):
        await engine.generate(job, on_text=None, cancel=Cancellation())
    await engine.close()

    again, _ = build_engine(endless_checkpoint)
    decoded = await again.generate(
        job_of(endless_checkpoint, max_tokens=3), on_text=None, cancel=Cancellation()
    )
    assert decoded.completion_tokens == 3
    await again.close()


async def test_closing_fails_what_runs(endless_checkpoint: Path) -> None:
    engine, _ = build_engine(endless_checkpoint)
    underway = asyncio.Event()
    running = asyncio.create_task(
        engine.generate(
            job_of(endless_checkpoint, max_tokens=900),
            on_text=lambda _: underway.set(),
            cancel=Cancellation(),
        )
    )
    await underway.wait()
    await engine.close()
    with pytest.raises(ProviderFailed):
        await running


async def test_the_event_loop_runs_on_between_the_tokens(
    host_engine: HostEngine, endless_checkpoint: Path
) -> None:
    async with host_engine(BatchEngine, endless_checkpoint) as engine:
        task: asyncio.Task[Decoded] = asyncio.create_task(
            engine.generate(
                job_of(endless_checkpoint, max_tokens=100), on_text=None, cancel=Cancellation()
            )
        )
        num_ticks = 0
        while not task.done():
            await asyncio.sleep(0)
            num_ticks += 1
        assert num_ticks > 100


async def test_what_cannot_be_batched_runs_serially_and_the_log_says_why(
    tiny_checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = entry_of(tiny_checkpoint)
    strategy = StrategyRegistry.from_toml().get("standard", entry)
    engine = await asyncio.to_thread(
        host_model,
        entry,
        strategy,
        Reservation({"cpu": 1 << 30}, 1000),
        lambda done, total: None,
        num_threads=1,
    )
    assert isinstance(engine, SerialEngine)
    assert "1000 bytes for its KV cache are too few" in caplog.text
    await engine.close()
