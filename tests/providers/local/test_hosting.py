"""What a load does the first time, and what it need not do again."""

import asyncio
from pathlib import Path

from providers.cancellation import Cancellation
from providers.local.batch_engine import BatchEngine
from providers.local.engine import Engine
from providers.local.hosting import host_model
from providers.local.manager.memory_plan import Reservation
from providers.local.serial_engine import SerialEngine
from providers.local.weight_form import Tried
from providers.registries.strategy_registry import Strategy
from tests.providers.local.conftest import entry_of, job_of
from tests.providers.local.test_architectures import SERIAL, folder, save_random_model

__all__ = ["folder"]

STANDARD = Strategy(key="standard", promise="as it is")


async def host(checkpoint: Path, tried: Tried) -> Engine:
    return await asyncio.to_thread(
        host_model,
        entry_of(checkpoint),
        STANDARD,
        Reservation({"cpu": 1 << 30}, 24 << 20),
        lambda done, total: None,
        num_threads=1,
        tried=tried,
    )


async def say(engine: Engine, checkpoint: Path) -> str:
    job = job_of(checkpoint, max_tokens=20)
    decoded = await engine.generate(job, on_text=None, cancel=Cancellation())
    await engine.close()
    return decoded.output


async def test_what_passed_its_trial_is_known_and_says_the_same_when_loaded_again(
    endless_checkpoint: Path,
) -> None:
    tried: Tried = set()
    first = await host(endless_checkpoint, tried)
    assert [(key, form) for key, form, _ in tried] == [("model", "checkpoint")]
    said = await say(first, endless_checkpoint)
    again = await host(endless_checkpoint, tried)
    assert isinstance(again, BatchEngine)
    assert await say(again, endless_checkpoint) == said


async def test_a_trial_is_run_once_and_what_failed_it_is_tried_again(folder: Path) -> None:
    save_random_model(folder, "gpt2", SERIAL["gpt2"])
    tried: Tried = set()
    failed = await host(folder, tried)
    assert isinstance(failed, SerialEngine)
    assert not tried
    weights_bytes = failed.size_bytes - (24 << 20)
    await failed.close()
    # As if it had passed: it is not tried again, and would batch.
    untried = await host(folder, {("model", "checkpoint", weights_bytes)})
    assert isinstance(untried, BatchEngine)
    await untried.close()
