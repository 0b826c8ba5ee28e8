"""Servers that fail in every way there is: a typed error each, and the gateway goes on."""

import asyncio
import json
import logging
import traceback
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.errors import DeadlineExceeded, InvalidInput, PromptbusError, ProviderFailed
from contracts.generation import TextDelta
from providers.provider_error import AnswerBrokeOff, ProviderCooling, ProviderRefused
from tests.providers.openai.bad_server import (
    STREAM_HEAD,
    Behaviour,
    Call,
    answer_well,
    ask,
    gateway_over,
    remote_entry,
    serving,
)

KEY = "sk-very-secret-0123456789"


async def hang(call: Call) -> None:
    await call.hung_up.wait()


async def hang_after_the_head(call: Call) -> None:
    await call.head()
    await call.event({"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    await call.hung_up.wait()


async def drip_forever(call: Call) -> None:
    await call.head()
    while not call.hung_up.is_set():
        await call.say("drip ")
        await asyncio.sleep(0.02)


async def drip_comments_forever(call: Call) -> None:
    await call.head()
    while not call.hung_up.is_set():
        await call.send(b": wait a little\n\n")
        await asyncio.sleep(0.02)


async def flood(call: Call) -> None:
    await call.head()
    while not call.hung_up.is_set():
        await call.send(b": " + b"x" * (1 << 20) + b"\n\n")


async def flood_an_error(call: Call) -> None:
    await call.send(b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n")
    while not call.hung_up.is_set():
        await call.send(b"x" * (1 << 16))


async def close_at_once(call: Call) -> None:
    call.writer.close()


async def close_after_two_words(call: Call) -> None:
    await call.head()
    await call.say("two ")
    await call.say("words")


async def break_a_chunked_body(call: Call) -> None:
    await call.send(STREAM_HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked"))
    piece = b'data: {"choices":[{"index":0,"delta":{"content":"two words"}}]}\n\n'
    await call.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    await call.send(b"ffff\r\nhalf a")


async def report_an_error_midway(call: Call) -> None:
    await call.head()
    await call.say("two words")
    await call.event({"error": {"message": f"died on {KEY}", "code": "engine_dead"}})


async def report_an_error_first(call: Call) -> None:
    await call.head()
    await call.event({"error": {"message": f"died on {KEY}", "code": "engine_dead"}})


def sending(*pieces: bytes) -> Behaviour:
    async def behave(call: Call) -> None:
        await call.head()
        for piece in pieces:
            await call.send(piece)

    return behave


def answering(line: str, document: Any, *headers: str) -> Behaviour:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def behave(call: Call) -> None:
        await call.status(line, body, *headers)

    return behave


@dataclass(frozen=True)
class Case:
    """How a server behaves, and what must come of it."""

    behave: Behaviour
    error: type[PromptbusError]
    tells: str
    cure: str = ""


CASES: dict[str, Case] = {
    "hangs": Case(hang, DeadlineExceeded, "0.3 s", "first_token_timeout_s"),
    "hangs after its first words of protocol": Case(
        hang_after_the_head, DeadlineExceeded, "0.3 s", "fallbacks"
    ),
    "sends comments forever": Case(drip_comments_forever, DeadlineExceeded, "0.3 s"),
    "drips forever": Case(drip_forever, AnswerBrokeOff, "not through within 0.6 s"),
    "floods": Case(flood, ProviderFailed, "too much"),
    "floods an error": Case(flood_an_error, ProviderFailed, "too much"),
    "closes at once": Case(close_at_once, ProviderFailed, "cannot be reached", "running"),
    "closes in the middle": Case(close_after_two_words, AnswerBrokeOff, "before the answer was"),
    "breaks a chunked body": Case(break_a_chunked_body, AnswerBrokeOff, "RemoteProtocolError"),
    "reports an error midway": Case(report_an_error_midway, AnswerBrokeOff, "engine_dead"),
    "reports an error first": Case(report_an_error_first, ProviderFailed, "engine_dead"),
    "sends nothing": Case(sending(), ProviderFailed, "before the answer was complete"),
    "only says done": Case(sending(b"data: [DONE]\n\n"), ProviderFailed, "before the answer was"),
    "sends invalid JSON": Case(sending(b"data: {oops\n\n"), ProviderFailed, "cannot be read"),
    "sends no UTF-8": Case(sending(b'data: {"a": "\xff\xfe"}\n\n'), ProviderFailed, "be read"),
    "sends a list": Case(sending(b"data: [1, 2]\n\n"), ProviderFailed, "cannot be read", "/v1"),
    "sends numbers for text": Case(
        sending(b'data: {"choices":[{"delta":{"content":5}}]}\n\n'), ProviderFailed, "be read"
    ),
    "sends choices of null": Case(
        sending(b'data: {"choices":null}\n\n'), ProviderFailed, "cannot be read"
    ),
    "sends text without events": Case(
        sending(b"Hello, I am no event stream\n\n"), ProviderFailed, "before the answer was"
    ),
    "answers with a page": Case(
        answering("200 OK", b"<html>Welcome!</html>", "Content-Type: text/html"),
        ProviderFailed,
        "text/html instead of",
        "/v1",
    ),
    "answers compressed": Case(
        answering(
            "200 OK", b"\x1f\x8b", "Content-Type: text/event-stream", "Content-Encoding: gzip"
        ),
        ProviderFailed,
        "compressed",
    ),
    "redirects": Case(
        answering("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/v1"),
        ProviderRefused,
        "never go",
        "base_url",
    ),
    "refuses the key": Case(
        answering("401 Unauthorized", {"error": {"message": f"bad key {KEY}"}}),
        ProviderRefused,
        "refused the key",
        "FAR_KEY",
    ),
    "forbids": Case(
        answering("403 Forbidden", {"error": f"no {KEY}"}), ProviderRefused, "refused the key"
    ),
    "knows no such model": Case(
        answering("404 Not Found", {"error": {"code": "model_not_found"}}),
        ProviderRefused,
        "'org/far'",
        "source or base_url",
    ),
    "has too small a context": Case(
        answering("400 Bad Request", {"error": {"code": "context_length_exceeded"}}),
        InvalidInput,
        "longer than the context",
    ),
    "has too small a context and says so in words": Case(
        answering("400 Bad Request", {"message": "maximum context length is 8 tokens"}),
        InvalidInput,
        "longer than the context",
    ),
    "supports no such field": Case(
        answering("400 Bad Request", {"error": {"code": "unsupported", "param": "seed"}}),
        ProviderRefused,
        "unsupported, seed",
        "leave out",
    ),
    "wants fewer requests": Case(
        answering("429 Too Many Requests", {"error": {"message": KEY}}), ProviderFailed, "429"
    ),
    "has no quota left": Case(
        answering("429 Too Many Requests", {"error": {"code": "insufficient_quota"}}),
        ProviderRefused,
        "no quota",
        "credit",
    ),
    "fails": Case(answering("500 Internal Server Error", b"oops"), ProviderFailed, "500"),
    "is overloaded": Case(answering("503 Busy", b"<html>"), ProviderFailed, "503"),
    "answers with a status of its own": Case(answering("599 Odd", b""), ProviderFailed, "599"),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_bad_server_is_a_typed_error_and_the_gateway_goes_on(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    caplog.set_level(logging.DEBUG)
    async with serving(case.behave) as bad, serving(answer_well) as good:
        far = remote_entry(
            "far",
            bad.url,
            api_key_env="FAR_KEY",
            first_token_timeout_s=0.3 if case.error is DeadlineExceeded else 20.0,
            timeout_s=0.6 if case.behave is drip_forever else 60.0,
        )
        async with gateway_over(far, remote_entry("near", good.url), keys={"FAR_KEY": KEY}) as gate:
            with pytest.raises(case.error) as caught:
                await gate.generate(ask())
            assert (await gate.generate(ask("near"))).output == "Hello there"
    error = caught.value
    assert type(error) is case.error
    assert case.tells in error.message
    assert case.cure in str(error.cure)
    told = "".join(traceback.format_exception(error)) + caplog.text + str(error.to_wire())
    assert KEY not in told


async def test_a_server_that_is_not_there_is_told_as_such() -> None:
    async with serving(answer_well) as server:
        url = server.url
    async with gateway_over(remote_entry("far", url)) as gateway:
        with pytest.raises(ProviderFailed, match="cannot be reached"):
            await gateway.generate(ask())


async def test_pieces_arrive_whole_however_they_are_cut_on_the_way() -> None:
    words = "señor → 日本 🙂 fin"
    document = {"choices": [{"delta": {"content": words}, "finish_reason": "stop"}]}
    data = f": hi\r\ndata: {json.dumps(document, ensure_ascii=False)}\r\n\r\n".encode()

    async def behave(call: Call) -> None:
        await call.head()
        for place in range(len(data)):
            await call.send(data[place : place + 1])
            if place % 16 == 0:
                await asyncio.sleep(0)

    async with serving(behave) as server, gateway_over(remote_entry("far", server.url)) as gateway:
        assert (await gateway.generate(ask())).output == words


def failing_first(num_failures: int, fail: Behaviour) -> Behaviour:
    num_calls = 0

    async def behave(call: Call) -> None:
        nonlocal num_calls
        num_calls += 1
        await (fail if num_calls <= num_failures else answer_well)(call)

    return behave


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
