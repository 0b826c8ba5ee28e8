"""Every way to stop a generation that would go on for seconds."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from contracts.generation import GenerationRequest, GenerationResult, TextDelta
from providers.cancellation import Cancellation
from providers.local.manager.request_scheduler import num_kept
from providers.provider_gateway import ProviderGateway
from tests.providers.conftest import BuildGateway

# The checkpoint needs several times as long for what is asked of it below.
PROMPTLY_S = 1.0


def ask(max_tokens: int = 8000) -> GenerationRequest:
    return GenerationRequest(model="endless", prompt="the quick brown", max_tokens=max_tokens)


async def fill_slots(
    gateway: ProviderGateway, cancel: Cancellation
) -> list[asyncio.Task[GenerationResult]]:
    """Generations in every slot that the model has for others than interactive ones."""
    report = next(one for one in gateway.models() if one.model == "endless")
    num_free = report.slots - num_kept(report.slots)
    running = [asyncio.create_task(gateway.generate(ask(), cancel=cancel)) for _ in range(num_free)]
    await asyncio.sleep(0.02)
    return running


async def until_free(gateway: ProviderGateway) -> float:
    """Seconds until the next request got its slot and an answer of one token."""
    began = time.perf_counter()
    await gateway.generate(ask(max_tokens=1))
    return time.perf_counter() - began


async def test_cancelling_midway_returns_what_there_is_and_frees_the_model(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")
    cancel, pieces = Cancellation(), list[str]()
    async for item in gateway.stream(ask(), cancel=cancel):
        if isinstance(item, TextDelta):
            pieces.append(item.text)
            if len(pieces) == 3:
                cancel.cancel()
                cancelled_at = time.perf_counter()
    assert time.perf_counter() - cancelled_at < PROMPTLY_S
    assert isinstance(item, GenerationResult)
    assert item.finish_reason == "cancelled"
    assert item.output == "".join(pieces)
    assert await until_free(gateway) < PROMPTLY_S
    await gateway.close()


async def test_decoding_stops_within_one_token_of_the_wish(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    cancel = Cancellation()
    cancel.cancel()
    result = await gateway.generate(ask(), cancel=cancel)
    assert (result.output, result.finish_reason) == ("", "cancelled")
    assert result.usage.completion_tokens == 0
    await gateway.close()


async def test_cancelling_without_a_stream_returns_what_there_is(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")
    cancel = Cancellation()
    generation = asyncio.create_task(gateway.generate(ask(), cancel=cancel))
    await asyncio.sleep(0.1)
    cancel.cancel()
    result = await asyncio.wait_for(generation, PROMPTLY_S)
    assert result.finish_reason == "cancelled"
    assert 0 < result.usage.completion_tokens < 8000
    await gateway.close()


async def test_a_request_cancelled_while_it_waits_returns_at_once(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")
    cancel, cancel_first = Cancellation(), Cancellation()
    first = await fill_slots(gateway, cancel_first)
    waiting = asyncio.create_task(gateway.generate(ask(), cancel=cancel))
    await asyncio.sleep(0.02)
    cancel.cancel()
    result = await asyncio.wait_for(waiting, PROMPTLY_S)
    assert (result.output, result.finish_reason) == ("", "cancelled")
    assert not any(task.done() for task in first)
    cancel_first.cancel()
    assert {(await task).finish_reason for task in first} == {"cancelled"}
    assert await until_free(gateway) < PROMPTLY_S
    await gateway.close()


async def test_a_waiting_task_may_be_cancelled_and_leaves_the_slot_to_others(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")
    cancel_first = Cancellation()
    first = await fill_slots(gateway, cancel_first)
    waiting = [asyncio.create_task(gateway.generate(ask())) for _ in range(3)]
    await asyncio.sleep(0.02)
    for task in waiting:
        task.cancel()
    cancel_first.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in outcomes)
    assert all(isinstance(one, GenerationResult) for one in await asyncio.gather(*first))
    assert await until_free(gateway) < PROMPTLY_S
    assert await gateway.unload("endless")
    await gateway.close()


async def test_cancelling_the_task_stops_decoding(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")
    task = asyncio.create_task(gateway.generate(ask()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await until_free(gateway) < PROMPTLY_S
    await gateway.close()


async def test_closing_the_stream_stops_decoding(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")
    async with aclosing(gateway.stream(ask())) as stream:
        async for item in stream:
            assert isinstance(item, TextDelta)
            break
    assert await until_free(gateway) < PROMPTLY_S
    await gateway.close()


async def test_cancelling_the_reader_of_a_stream_stops_decoding(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")

    async def read() -> None:
        async with aclosing(gateway.stream(ask())) as stream:
            async for _ in stream:
                pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await until_free(gateway) < PROMPTLY_S
    await gateway.close()


async def test_a_request_cancelled_during_the_load_returns_and_the_load_goes_on(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    cancel = Cancellation()
    generation = asyncio.create_task(gateway.generate(ask(), cancel=cancel))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cancel.cancel()
    assert (await generation).finish_reason == "cancelled"
    await gateway.load("endless")
    assert (await gateway.generate(ask(max_tokens=1))).cache_hit
    await gateway.close()


async def test_a_task_cancelled_at_any_moment_leaves_nothing_held(
    build_gateway: BuildGateway, endless_checkpoint: Path
) -> None:
    gateway = build_gateway(endless=endless_checkpoint)
    await gateway.load("endless")
    for num_turns in (*range(12), *range(12)):
        task = asyncio.create_task(gateway.generate(ask()))
        for _ in range(num_turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(5):
        assert await until_free(gateway) < PROMPTLY_S
        assert await gateway.unload("endless")
    await gateway.close()
