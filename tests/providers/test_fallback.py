"""Chains of models: the next answers before the first token, none after it, remote ones never
where the text must stay."""

import asyncio
import random
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from contracts.errors import (
    Cancelled,
    DeadlineExceeded,
    DoesNotFit,
    InvalidInput,
    ModelLoadFailed,
    NotReady,
    OutOfMemory,
    PromptbusError,
    ProviderFailed,
    QueueFull,
)
from contracts.generation import GenerationRequest, GenerationResult, TextDelta
from providers.cancellation import Cancellation
from providers.echo_provider import EchoProvider
from providers.fallback import error_of_chain, may_fall_back
from providers.local.local_provider import LocalProvider
from providers.openai.openai_provider import OpenAIProvider
from providers.provider_error import AnswerBrokeOff, ProviderCooling, ProviderRefused
from providers.provider_gateway import ProviderGateway
from providers.registries.model_entry import ModelEntry
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry
from tests.providers.openai.bad_server import (
    Behaviour,
    Call,
    answer_well,
    ask,
    gateway_over,
    remote_entry,
    serving,
)


def no_key(_variable: str) -> str | None:
    return None


async def fail(call: Call) -> None:
    await call.status("500 Internal Server Error")


async def refuse_the_key(call: Call) -> None:
    await call.status("401 Unauthorized")


async def hang(call: Call) -> None:
    await call.hung_up.wait()


async def break_off(call: Call) -> None:
    await call.head()
    await call.say("two ")
    await call.say("words")


@pytest.mark.parametrize("behave", [fail, refuse_the_key, hang])
async def test_a_model_that_fails_before_its_first_token_is_replaced(
    behave: Behaviour,
) -> None:
    async with serving(behave) as bad, serving(answer_well) as good:
        far = remote_entry(
            "far", bad.url, fallbacks=("near", "echo"), first_token_timeout_s=0.2, max_retries=5
        )
        async with gateway_over(far, remote_entry("near", good.url)) as gateway:
            result = await gateway.generate(ask())
            async with aclosing(gateway.stream(ask())) as stream:
                items = [item async for item in stream]
    assert result.output == "Hello there"
    assert (result.model, result.fallback_from) == ("near", "far")
    assert (result.provider, result.source) == ("openai", "remote")
    streamed = items[-1]
    assert isinstance(streamed, GenerationResult)
    assert (streamed.output, streamed.fallback_from) == ("Hello there", "far")
    texts = [item.text for item in items if isinstance(item, TextDelta)]
    assert texts == ["Hello", " there"]


async def test_with_a_fallback_at_hand_a_server_is_asked_few_times_in_a_row() -> None:
    async with serving(fail) as bad:
        far = remote_entry("far", bad.url, fallbacks=("echo",), max_retries=10)
        async with gateway_over(far) as gateway:
            result = await gateway.generate(ask())
    assert (result.model, result.fallback_from, result.source) == ("echo", "far", "local")
    # Half a second of patience has room for two pauses at most.
    assert len(bad.calls) <= 3


async def test_a_server_that_is_not_there_is_replaced() -> None:
    async with serving(fail) as gone:
        url = gone.url
    async with gateway_over(remote_entry("far", url, fallbacks=("echo",))) as gateway:
        assert (await gateway.generate(ask())).model == "echo"


async def test_a_local_model_that_cannot_be_loaded_falls_back_to_a_remote_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    async with serving(answer_well) as good:
        file = tmp_path / "models.toml"
        file.write_text(
            f'[models.mine]\nsource = "./empty"\nfallbacks = ["far"]\n'
            f'[models.far]\nprovider = "openai"\nsource = "m"\nbase_url = "{good.url}"\n'
            "allow_insecure = true\n"
        )
        gateway = ProviderGateway(
            ModelRegistry.from_toml([file]),
            StrategyRegistry.from_toml(),
            [EchoProvider(), LocalProvider(num_threads=1), OpenAIProvider(no_key)],
        )
        result = await gateway.generate(ask("mine", strategy="optimized"))
        assert (result.model, result.source, result.fallback_from) == ("far", "remote", "mine")
        assert result.strategy == "optimized"
        with pytest.raises(ModelLoadFailed):
            await gateway.generate(ask("mine", local_only=True))
        assert good.num_connections == 1
        await gateway.close()


async def test_a_fallback_without_the_wished_strategy_runs_with_its_own() -> None:
    async with serving(fail) as bad:
        far = remote_entry("far", bad.url, fallbacks=("plain",))
        plain = ModelEntry(
            key="plain", provider="echo", source="built-in", strategies=("standard",)
        )
        async with gateway_over(far, plain) as gateway:
            result = await gateway.generate(ask(strategy="streaming"))
    assert (result.model, result.strategy) == ("plain", "standard")


async def test_after_the_first_token_nobody_goes_on() -> None:
    async with serving(break_off) as bad, serving(answer_well) as good:
        far = remote_entry("far", bad.url, fallbacks=("near",), max_retries=5)
        async with gateway_over(far, remote_entry("near", good.url)) as gateway:
            heard: list[str] = []
            with pytest.raises(AnswerBrokeOff, match="broke off"):
                async with aclosing(gateway.stream(ask())) as stream:
                    async for item in stream:
                        assert isinstance(item, TextDelta)
                        heard.append(item.text)
            with pytest.raises(AnswerBrokeOff):
                await gateway.generate(ask())
    assert heard == ["two ", "words"]
    assert (len(bad.calls), good.num_connections) == (2, 0)


async def test_every_model_of_a_chain_is_tried_once_and_what_may_pass_is_told() -> None:
    async with serving(refuse_the_key) as first, serving(fail) as second:
        entries = (
            remote_entry("far", first.url, fallbacks=("b", "c")),
            remote_entry("b", second.url, fallbacks=("c",)),
            remote_entry("c", first.url),
        )
        async with gateway_over(*entries) as gateway:
            with pytest.raises(ProviderFailed, match="500") as caught:
                await gateway.generate(ask())
    assert type(caught.value) is ProviderFailed
    sources = [call.body["model"] for call in (*first.calls, *second.calls)]
    assert sorted(sources) == ["org/b", "org/c", "org/far"]


async def test_a_request_that_is_wrong_in_itself_is_not_sent_on() -> None:
    async def too_long(call: Call) -> None:
        await call.status("400 Bad Request", b'{"error": {"code": "context_length_exceeded"}}')

    async with serving(too_long) as small:
        far = remote_entry("far", small.url, fallbacks=("echo",))
        async with gateway_over(far) as gateway:
            with pytest.raises(InvalidInput, match="longer than the context"):
                await gateway.generate(ask())


async def test_a_cancelled_generation_does_not_fall_back() -> None:
    cancel = Cancellation()
    async with serving(hang) as bad:
        far = remote_entry("far", bad.url, fallbacks=("echo",), first_token_timeout_s=600)
        async with gateway_over(far) as gateway:
            generation = asyncio.create_task(gateway.generate(ask(), cancel=cancel))
            async with asyncio.timeout(10):
                while not bad.calls:
                    await asyncio.sleep(0.01)
                cancel.cancel()
                result = await generation
    assert (result.model, result.finish_reason, result.output) == ("far", "cancelled", "")


async def test_a_remote_model_is_refused_to_text_that_must_stay() -> None:
    async with serving(answer_well) as server:
        far = remote_entry("far", server.url, fallbacks=("echo",))
        async with gateway_over(far) as gateway:
            with pytest.raises(InvalidInput) as caught:
                await gateway.generate(ask(local_only=True))
            assert caught.value.field == "local_only"
            assert "echo" in str(caught.value.cure)
            with pytest.raises(InvalidInput):
                async for _ in gateway.stream(ask(local_only=True)):
                    pass
    assert server.num_connections == 0


async def test_text_that_must_stay_opens_no_connection_whatever_the_chain() -> None:
    chance = random.Random(20260725)
    num_answered = num_refused = num_failed = 0
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(answer_well))
        for _ in range(60):
            entries = random_entries(chance, server.url)
            gateway = ProviderGateway(
                ModelRegistry(entries),
                StrategyRegistry.from_toml(),
                [EchoProvider(), LocalProvider(num_threads=1), OpenAIProvider(no_key)],
            )
            for entry in entries:
                request = GenerationRequest(model=entry.key, prompt="secret", local_only=True)
                try:
                    if chance.random() < 0.5:
                        assert (await gateway.generate(request)).source == "local"
                    else:
                        async for item in gateway.stream(request):
                            if isinstance(item, GenerationResult):
                                assert item.source == "local"
                    num_answered += 1
                except InvalidInput as exc:
                    assert exc.field == "local_only"
                    num_refused += 1
                except (ModelLoadFailed, NotReady):
                    num_failed += 1
            await gateway.close()
        assert server.num_connections == 0
        # Else nothing was shown: the same server does answer those whose text may leave.
        async with gateway_over(remote_entry("far", server.url)) as gateway:
            await gateway.generate(ask())
        assert server.num_connections == 1
    assert min(num_answered, num_refused, num_failed) > 20


def random_entries(chance: random.Random, url: str) -> list[ModelEntry]:
    """Models of all kinds, broken ones among them, each with fallbacks among the later ones."""
    keys = [f"m{number}" for number in range(chance.randint(2, 6))]
    entries = []
    for place, key in enumerate(keys):
        later = keys[place + 1 :]
        fallbacks = tuple(chance.sample(later, chance.randint(0, len(later))))
        match chance.choice(["remote", "remote", "echo", "broken"]):
            case "remote":
                entries.append(remote_entry(key, url, fallbacks=fallbacks))
            case "echo":
                entries.append(
                    ModelEntry(key=key, provider="echo", source="built-in", fallbacks=fallbacks)
                )
            case _:
                entries.append(ModelEntry(key=key, source="/no/such/folder", fallbacks=fallbacks))
    return entries


def test_what_another_model_may_mend_is_told_from_what_it_may_not() -> None:
    mendable: list[PromptbusError] = [
        ProviderFailed(provider="p", reason="r"),
        ProviderRefused(provider="p", reason="r"),
        ProviderCooling(provider="p", reason="r", left_s=1.0),
        DeadlineExceeded(what="w", deadline_s=1.0),
        ModelLoadFailed(model="m", reason="r"),
        OutOfMemory(model="m", device="d", reason="r"),
        DoesNotFit(model="m", needed_bytes=1, shortfalls=()),
        NotReady("n"),
        QueueFull("q"),
    ]
    final: list[PromptbusError] = [
        AnswerBrokeOff(provider="p", reason="r"),
        InvalidInput(field="f", reason="r"),
        Cancelled("c"),
    ]
    assert all(may_fall_back(error) for error in mendable)
    assert not any(may_fall_back(error) for error in final)
    not_ready = NotReady("n")
    assert error_of_chain([not_ready, mendable[1]]) is not_ready
    assert error_of_chain([not_ready, mendable[0]]) is mendable[0]
