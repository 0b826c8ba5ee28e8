"""Servers that fail in every way there is: a typed error each, and the gateway goes on."""

import asyncio
import json
import logging
import traceback
from dataclasses import dataclass

import pytest

from contracts.errors import DeadlineExceeded, InvalidInput, PromptbusError, ProviderFailed
from providers.provider_error import AnswerBrokeOff, ProviderRefused
from tests.providers.openai.bad_server import (
    Behaviour,
    Call,
    answer_well,
    ask,
    gateway_over,
    remote_entry,
    serving,
)
from tests.providers.openai.behaviours import (
    KEY,
    answering,
    break_a_chunked_body,
    close_after_two_words,
    close_at_once,
    drip_comments_forever,
    drip_forever,
    flood,
    flood_an_error,
    hang,
    hang_after_the_head,
    report_an_error_first,
    report_an_error_midway,
    sending,
)


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
    assert error.cure
    assert case.cure in error.cure
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
