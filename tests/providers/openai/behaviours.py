"""Ways in which a server can behave badly."""

import asyncio
import json
from typing import Any

from tests.providers.openai.bad_server import STREAM_HEAD, Behaviour, Call, answer_well

# What a server must never make us tell.
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


def failing_first(num_failures: int, fail: Behaviour) -> Behaviour:
    num_calls = 0

    async def behave(call: Call) -> None:
        nonlocal num_calls
        num_calls += 1
        await (fail if num_calls <= num_failures else answer_well)(call)

    return behave
