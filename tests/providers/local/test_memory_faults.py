"""Memory that runs out, and engines that fall, while a generation is under way."""

import asyncio
from dataclasses import replace

import pytest

from contracts.errors import OutOfMemory, ProviderFailed
from contracts.generation import GenerationRequest
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob, build_job
from providers.local.local_provider import LocalProvider
from tests.providers.local.manager.shelf import STANDARD, Shelf, entry

OUT = OutOfMemory(model="a", device="cpu", reason="no more")


def job(key: str) -> GenerationJob:
    return build_job(GenerationRequest(model=key, prompt="hi"), entry(key), STANDARD)


async def generate(provider: LocalProvider, key: str) -> str:
    generated = await provider.generate(job(key), on_text=None, on_wait=None, cancel=Cancellation())
    return generated.output


def provider_of(shelf: Shelf) -> LocalProvider:
    shelf.gate.set()
    return LocalProvider(budgets={"cpu": 5000}, load=shelf.load)


async def test_a_generation_out_of_memory_is_run_again_once_who_is_idle_has_left() -> None:
    shelf = Shelf()
    provider = provider_of(shelf)
    await generate(provider, "idle")
    shelf.faults.append(OUT)
    assert await generate(provider, "a") == "word"
    assert shelf.events == ["load idle", "load a", "free idle"]
    assert [state.model for state in provider.loaded()] == ["a"]
    await provider.close()


async def test_when_memory_runs_out_again_the_request_fails_and_the_model_serves_on() -> None:
    shelf = Shelf()
    provider = provider_of(shelf)
    await generate(provider, "idle")
    shelf.faults += [OUT, OUT]
    with pytest.raises(OutOfMemory):
        await generate(provider, "a")
    assert not shelf.faults
    assert await generate(provider, "a") == "word"
    await provider.close()


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    shelf = Shelf()
    provider = provider_of(shelf)
    await generate(provider, "idle")
    for max_tokens, num_words in ((2, 1), (1, 1)):
        shelf.faults.append(OUT)
        said: list[str] = []
        asked = replace(job("a"), max_tokens=max_tokens)
        generating = provider.generate(
            asked, on_text=said.append, on_wait=None, cancel=Cancellation()
        )
        if max_tokens == 1:
            with pytest.raises(OutOfMemory):
                await generating
        else:
            assert (await generating).output == "word"
        assert len(said) == num_words
        await generate(provider, "idle")
    await provider.close()


async def test_a_fallen_engine_fails_its_request_for_now_and_the_next_gets_a_new_one() -> None:
    shelf = Shelf()
    provider = provider_of(shelf)
    shelf.faults.append(ProviderFailed(provider="local", reason="it fell"))
    with pytest.raises(ProviderFailed) as caught:
        await generate(provider, "a")
    assert caught.value.retryable
    assert await generate(provider, "a") == "word"
    assert shelf.events == ["load a", "free a", "load a"]
    await provider.close()


async def test_what_is_waiting_shows_before_its_model_is_resident() -> None:
    shelf = Shelf()
    provider = LocalProvider(budgets={"cpu": 5000}, load=shelf.load)
    waiting = [asyncio.create_task(generate(provider, "a")) for _ in range(3)]
    while provider.num_waiting("a") < 3:
        await asyncio.sleep(0.001)
    shelf.gate.set()
    await asyncio.gather(*waiting)
    assert provider.num_waiting("a") == 0
    assert provider.size_bytes(entry("a"), STANDARD) == provider.memory()[0].reserved_bytes
    await provider.close()
