"""A remote model through the gateway: what is sent, what comes back, how it is stopped."""

import asyncio
import subprocess
import sys
from contextlib import aclosing
from typing import Any

import pytest

from contracts.errors import NotReady
from contracts.generation import GenerationResult, TextDelta
from contracts.prompt import ChatMessage, ResponseFormat
from contracts.waiting import WaitNote
from providers.cancellation import Cancellation
from providers.provider_gateway import ProviderGateway
from tests.providers.openai.bad_server import (
    Call,
    answer_well,
    ask,
    gateway_over,
    remote_entry,
    serving,
)

KEY = "sk-very-secret-0123456789"


async def listen(gateway: ProviderGateway, **fields: Any) -> tuple[list[str], GenerationResult]:
    """All pieces and the result of a stream."""
    pieces: list[str] = []
    async with aclosing(gateway.stream(ask(**fields))) as stream:
        async for item in stream:
            if isinstance(item, GenerationResult):
                return pieces, item
            if isinstance(item, TextDelta):
                pieces.append(item.text)
            assert not isinstance(item, WaitNote)
    raise AssertionError("the stream ended without a result")


def test_importing_the_provider_imports_no_client_library() -> None:
    code = (
        "import sys, providers.openai.openai_provider, providers.provider_gateway;"
        "sys.exit(any(name in sys.modules for name in ('openai', 'httpx2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_an_answer_streams_with_its_usage() -> None:
    async with (
        serving(answer_well) as server,
        gateway_over(remote_entry("far", server.url)) as gateway,
    ):
        pieces, result = await listen(gateway)
        whole = await gateway.generate(ask())
    assert pieces == ["Hello", " there"]
    assert result.output == whole.output == "Hello there"
    assert (result.model, result.provider, result.source) == ("far", "openai", "remote")
    assert result.finish_reason == "stop"
    assert result.fallback_from is None
    usage = result.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 2, 5)
    assert result.first_token_ms is not None
    assert 0 < result.first_token_ms <= result.total_time_ms


async def test_wishes_and_the_key_reach_the_server_and_nothing_else_does() -> None:
    entry_fields = {"api_key_env": "FAR_KEY", "source": "org/big"}
    schema = {"name": "word", "schema": {"type": "object"}}
    async with (
        serving(answer_well) as server,
        gateway_over(
            remote_entry("far", server.url, **entry_fields), keys={"FAR_KEY": KEY}
        ) as gateway,
    ):
        await gateway.generate(
            ask(
                messages=(ChatMessage(role="system", content="Be brief."),),
                max_tokens=7,
                temperature=0.5,
                top_p=0.9,
                seed=11,
                stop=("a1", "b2", "c3", "d4", "e5"),
                response_format=ResponseFormat(type="json_schema", json_schema=schema),
            )
        )
    (call,) = server.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert set(call.headers) - {""} == {
        "host",
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "user-agent",
    }
    assert call.body == {
        "model": "org/big",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 11,
        "stop": ["a1", "b2", "c3", "d4"],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_the_limit_goes_by_the_name_that_the_server_knows() -> None:
    fields = {"max_tokens_field": "max_completion_tokens"}
    async with (
        serving(answer_well) as server,
        gateway_over(remote_entry("far", server.url, **fields)) as gateway,
    ):
        await gateway.generate(ask(max_tokens=7))
    assert server.calls[0].body["max_completion_tokens"] == 7
    assert "max_tokens" not in server.calls[0].body


async def test_without_a_key_variable_no_key_is_sent() -> None:
    async with (
        serving(answer_well) as server,
        gateway_over(remote_entry("far", server.url), keys={"OPENAI_API_KEY": KEY}) as gateway,
    ):
        await gateway.generate(ask())
    assert "authorization" not in server.calls[0].headers


@pytest.mark.parametrize("value", [None, "", "two words", "line\nbreak", "señal"])
async def test_a_key_that_is_none_is_told_before_anything_is_sent(value: str | None) -> None:
    keys = {} if value is None else {"FAR_KEY": value}
    async with (
        serving(answer_well) as server,
        gateway_over(remote_entry("far", server.url, api_key_env="FAR_KEY"), keys=keys) as gateway,
    ):
        (report, _) = gateway.models()
        assert (report.source, report.available) == ("remote", False)
        with pytest.raises(NotReady, match="FAR_KEY") as caught:
            await gateway.generate(ask())
    assert "FAR_KEY" in str(caught.value.cure)
    assert server.num_connections == 0


async def test_a_model_whose_key_is_there_is_reported_as_available() -> None:
    entry = remote_entry("far", "https://far.example/v1", api_key_env="FAR_KEY", num_parameters=7)
    async with gateway_over(entry, keys={"FAR_KEY": KEY}) as gateway:
        (report, _) = gateway.models()
        loaded = await gateway.load("far")
    assert (report.provider, report.source, report.available) == ("openai", "remote", True)
    assert (report.resident, report.size_bytes, loaded.size_bytes) == (True, 0, 0)


@pytest.mark.parametrize(
    ("told", "finish_reason"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "error"), ("tool_calls", "stop")],
)
async def test_finish_reasons_are_translated(told: str, finish_reason: str) -> None:
    async def behave(call: Call) -> None:
        await call.head()
        await call.say("Hel")
        await call.say(None, told)
        await call.done()

    async with serving(behave) as server, gateway_over(remote_entry("far", server.url)) as gateway:
        assert (await gateway.generate(ask())).finish_reason == finish_reason


async def test_pieces_are_counted_where_the_server_counts_nothing() -> None:
    async def behave(call: Call) -> None:
        await call.head()
        for word in ("one ", "two ", "three"):
            await call.say(word)
        await call.say(None, "stop")

    async with serving(behave) as server, gateway_over(remote_entry("far", server.url)) as gateway:
        result = await gateway.generate(ask())
    assert result.usage.completion_tokens == 3


async def test_stop_strings_that_the_server_ignores_end_the_answer_and_the_connection() -> None:
    async def behave(call: Call) -> None:
        await call.head()
        for piece in ("all is we", "ll EN", "D of story"):
            await call.say(piece)
        await call.hung_up.wait()

    async with serving(behave) as server, gateway_over(remote_entry("far", server.url)) as gateway:
        pieces, result = await listen(gateway, stop=("END",))
        async with asyncio.timeout(10):
            await server.calls[0].hung_up.wait()
    assert "".join(pieces) == result.output == "all is well "
    assert result.finish_reason == "stop"


async def test_cancelling_closes_the_connection_and_keeps_what_there_is() -> None:
    async def behave(call: Call) -> None:
        await call.head()
        while not call.hung_up.is_set():
            await call.say("tick ")
            await asyncio.sleep(0.01)

    cancel = Cancellation()
    async with serving(behave) as server, gateway_over(remote_entry("far", server.url)) as gateway:
        async with aclosing(gateway.stream(ask(), cancel=cancel)) as stream:
            items = []
            async for item in stream:
                items.append(item)
                cancel.cancel()
        result = items[-1]
        assert isinstance(result, GenerationResult)
        async with asyncio.timeout(10):
            await server.calls[0].hung_up.wait()
    assert result.finish_reason == "cancelled"
    assert result.output.startswith("tick ")
    assert result.cancel_time_ms is not None


async def test_cancelling_ends_the_wait_for_the_first_token() -> None:
    async def behave(call: Call) -> None:
        await call.hung_up.wait()

    cancel = Cancellation()
    entry_fields = {"first_token_timeout_s": 600.0}
    async with (
        serving(behave) as server,
        gateway_over(remote_entry("far", server.url, **entry_fields)) as gateway,
    ):
        generation = asyncio.create_task(gateway.generate(ask(), cancel=cancel))
        async with asyncio.timeout(10):
            while not server.calls:
                await asyncio.sleep(0.01)
            cancel.cancel()
            result = await generation
            await server.calls[0].hung_up.wait()
    assert (result.output, result.finish_reason) == ("", "cancelled")


async def test_leaving_a_stream_closes_the_connection() -> None:
    async def behave(call: Call) -> None:
        await call.head()
        await call.say("first")
        await call.hung_up.wait()

    async with serving(behave) as server, gateway_over(remote_entry("far", server.url)) as gateway:
        async with aclosing(gateway.stream(ask())) as stream:
            async for _ in stream:
                break
        async with asyncio.timeout(10):
            await server.calls[0].hung_up.wait()


async def test_many_answers_at_once_share_one_server() -> None:
    async with (
        serving(answer_well) as server,
        gateway_over(remote_entry("far", server.url)) as gateway,
    ):
        results = await asyncio.gather(*(gateway.generate(ask()) for _ in range(40)))
    assert {result.output for result in results} == {"Hello there"}
