import time
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import NotReady, UnknownModel, UnknownStrategy
from contracts.generation import GenerationRequest, GenerationResult, TextDelta
from contracts.prompt import ChatMessage
from contracts.waiting import WaitNote
from providers.cancellation import Cancellation
from providers.echo_provider import EchoProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry


def build_gateway() -> ProviderGateway:
    return ProviderGateway(
        ModelRegistry.from_toml(), StrategyRegistry.from_toml(), [EchoProvider()]
    )


def ask(prompt: str, **wishes: object) -> GenerationRequest:
    return GenerationRequest.model_validate({"model": "echo", "prompt": prompt, **wishes})


async def collect(
    gateway: ProviderGateway, request: GenerationRequest
) -> tuple[list[TextDelta], GenerationResult]:
    deltas: list[TextDelta] = []
    async for item in gateway.stream(request):
        if isinstance(item, GenerationResult):
            return deltas, item
        assert isinstance(item, TextDelta)
        deltas.append(item)
    raise AssertionError("the stream ended without a result")


async def test_the_last_user_message_is_the_answer() -> None:
    request = GenerationRequest(
        model="echo",
        messages=(
            ChatMessage(role="user", content="one two"),
            ChatMessage(role="assistant", content="three"),
        ),
    )
    result = await build_gateway().generate(request)
    assert result.output == "one two"
    assert result.finish_reason == "stop"
    assert (result.provider, result.source, result.strategy) == ("echo", "local", "standard")
    assert result.usage.prompt_tokens == 3
    assert result.usage.completion_tokens == 2
    assert result.usage.total_tokens == 5
    assert result.cache_hit
    assert result.load_time_ms == 0.0


async def test_a_stream_gives_words_and_then_the_result() -> None:
    deltas, result = await collect(build_gateway(), ask("hello brave  new world "))
    assert [delta.text for delta in deltas] == ["hello", " brave", "  new", " world "]
    assert [delta.offset for delta in deltas] == [0, 5, 11, 16]
    assert result.output == "hello brave  new world "


@given(st.text(alphabet="ab \n\tñ.", min_size=1).filter(str.strip))
async def test_pieces_joined_are_the_output_and_the_prompt(prompt: str) -> None:
    deltas, result = await collect(build_gateway(), ask(prompt))
    assert "".join(delta.text for delta in deltas) == result.output == prompt


async def test_max_tokens_counts_words() -> None:
    result = await build_gateway().generate(ask("a b c d", max_tokens=2))
    assert (result.output, result.finish_reason) == ("a b", "length")


async def test_a_stop_string_ends_the_answer() -> None:
    result = await build_gateway().generate(ask("a b. c", stop=(".",)))
    assert (result.output, result.finish_reason) == ("a b", "stop")


async def test_a_cancelled_stream_ends_with_what_there_was() -> None:
    cancel = Cancellation()
    items: list[TextDelta | WaitNote | GenerationResult] = []
    async for item in build_gateway().stream(ask("one two three"), cancel=cancel):
        items.append(item)
        cancel.cancel()
    result = items[-1]
    assert isinstance(result, GenerationResult)
    assert (result.output, result.finish_reason) == ("one", "cancelled")


async def test_a_stream_may_be_left_early() -> None:
    async with aclosing(build_gateway().stream(ask("one two three"))) as stream:
        async for item in stream:
            assert isinstance(item, TextDelta)
            break


async def test_echo_costs_next_to_nothing() -> None:
    gateway, request = build_gateway(), ask("hello there")
    times: list[float] = []
    for _ in range(500):
        began = time.perf_counter()
        await gateway.generate(request)
        times.append(time.perf_counter() - began)
    assert sorted(times)[250] < 100e-6


async def test_the_wrong_model_strategy_and_provider_are_refused() -> None:
    gateway = build_gateway()
    with pytest.raises(UnknownModel):
        await gateway.generate(ask("x", model="../secret"))
    with pytest.raises(UnknownStrategy):
        await gateway.generate(ask("x", strategy="optimized"))
    with pytest.raises(NotReady):
        await gateway.generate(ask("x", model="pocket"))
    with pytest.raises(NotReady):
        await collect(gateway, ask("x", model="pocket"))


def test_echo_is_always_resident_and_the_only_model_without_other_providers() -> None:
    (report,) = build_gateway().models()
    assert report.model == "echo"
    assert report.resident
    assert report.available
