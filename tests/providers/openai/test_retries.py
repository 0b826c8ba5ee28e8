"""When a request is sent again, when it is not, and when a server is left alone."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from contracts.errors import ProviderFailed
from contracts.generation import TextDelta
from providers.provider_error import AnswerBrokeOff, ProviderCooling, ProviderRefused
from tests.providers.openai.bad_server import (
    Behaviour,
    Call,
    ask,
    gateway_over,
    remote_entry,
    serving,
)
from tests.providers.openai.behaviours import (
    answering,
    close_after_two_words,
    close_at_once,
    failing_first,
    sending,
)


@pytest.mark.parametrize(
    "fail",
    [
        answering("429 Too Many Requests", b"", "Retry-After: 0"),
        answering("500 Internal Server Error", b""),
        close_at_once,
        sending(),
    ],
)
async def test_a_request_is_sent_again_before_its_first_token(fail: Behaviour) -> None:
    async with (
        serving(failing_first(2, fail)) as server,
        gateway_over(remote_entry("far", server.url, max_retries=2)) as gateway,
    ):
        assert (await gateway.generate(ask())).output == "Hello there"
        assert len(server.calls) == 3


@pytest.mark.parametrize(
    "fail",
    [close_after_two_words, answering("401 Unauthorized", b""), sending(b"data: {oops\n\n")],
)
async def test_a_request_that_would_fail_again_is_sent_once(fail: Behaviour) -> None:
    async with (
        serving(fail) as server,
        gateway_over(remote_entry("far", server.url, max_retries=5)) as gateway,
    ):
        with pytest.raises(ProviderFailed):
            await gateway.generate(ask())
        assert len(server.calls) == 1


async def test_a_stream_that_breaks_gives_what_there_was_and_is_not_begun_again() -> None:
    async with (
        serving(close_after_two_words) as server,
        gateway_over(remote_entry("far", server.url, max_retries=5)) as gateway,
    ):
        heard: list[str] = []
        with pytest.raises(AnswerBrokeOff):
            async with aclosing(gateway.stream(ask())) as stream:
                async for item in stream:
                    assert isinstance(item, TextDelta)
                    heard.append(item.text)
        assert (heard, len(server.calls)) == (["two ", "words"], 1)


async def test_a_server_that_keeps_failing_is_left_alone_for_a_while() -> None:
    async with (
        serving(answering("500 Internal Server Error", b"")) as server,
        gateway_over(remote_entry("far", server.url)) as gateway,
    ):
        for _ in range(3):
            with pytest.raises(ProviderFailed, match="500"):
                await gateway.generate(ask())
        with pytest.raises(ProviderCooling, match="failed often") as caught:
            await gateway.generate(ask())
        assert caught.value.retryable
        assert 0 < (caught.value.to_wire().limit or 0) <= 2.0
        assert len(server.calls) == 3


async def test_a_server_that_names_a_long_wait_is_not_asked_before() -> None:
    async with (
        serving(answering("429 Slow Down", b"", "Retry-After: 40")) as server,
        gateway_over(remote_entry("far", server.url, max_retries=5)) as gateway,
    ):
        with pytest.raises(ProviderFailed, match="429"):
            await gateway.generate(ask())
        with pytest.raises(ProviderCooling) as caught:
            await gateway.generate(ask())
        assert 30 < (caught.value.limit or 0) <= 40
        assert len(server.calls) == 1


async def test_wrong_keys_and_prompts_do_not_cool_a_server() -> None:
    behave: Callable[[Call], Any] = failing_first(5, answering("401 Unauthorized", b""))
    async with serving(behave) as server, gateway_over(remote_entry("far", server.url)) as gateway:
        for _ in range(5):
            with pytest.raises(ProviderRefused):
                await gateway.generate(ask())
        assert (await gateway.generate(ask())).output == "Hello there"
