"""A small HTTP server on loopback that behaves as badly as a test asks."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from contracts.generation import GenerationRequest
from providers.echo_provider import EchoProvider
from providers.openai.openai_provider import OpenAIProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_entry import ModelEntry
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass
class Call:
    """One request as it arrived, and the way to answer it."""

    headers: dict[str, str]
    body: dict[str, Any]
    path: str
    writer: asyncio.StreamWriter
    hung_up: asyncio.Event

    async def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> None:
        """Begin an event stream."""
        await self.send(STREAM_HEAD)

    async def event(self, document: Any) -> None:
        """Send one event."""
        await self.send(f"data: {json.dumps(document)}\n\n".encode())

    async def say(self, text: str | None, finish: str | None = None) -> None:
        """Send one piece of an answer."""
        delta = {} if text is None else {"content": text}
        await self.event(
            {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        )

    async def done(self, prompt_tokens: int = 3, completion_tokens: int = 2) -> None:
        """Send the usage and the end."""
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        await self.event({"id": "1", "choices": [], "usage": usage})
        await self.send(b"data: [DONE]\n\n")

    async def status(self, line: str, body: bytes = b"{}", *headers: str) -> None:
        """Send a whole response."""
        head = [f"HTTP/1.1 {line}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        await self.send("\r\n".join([*head, "", ""]).encode() + body)


Behaviour = Callable[[Call], Awaitable[None]]


@dataclass
class BadServer:
    """A server that answers every request by ``behave``."""

    behave: Behaviour
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    num_connections: int = 0

    @property
    def url(self) -> str:
        """What a registry entry names."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        self.num_connections += 1
        try:
            call = await _read_call(reader, writer)
            self.calls.append(call)
            watching = asyncio.create_task(_watch(reader, call.hung_up))
            try:
                await self.behave(call)
            finally:
                watching.cancel()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client hung up, as clients may.
        finally:
            writer.close()


async def answer_well(call: Call) -> None:
    """A short and faultless answer."""
    await call.head()
    await call.say("Hello")
    await call.say(" there")
    await call.say(None, "stop")
    await call.done()


@asynccontextmanager
async def serving(behave: Behaviour) -> AsyncIterator[BadServer]:
    """A server that behaves so."""
    bad = BadServer(behave)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(bad.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    bad.port = server.sockets[0].getsockname()[1]
    try:
        yield bad
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def remote_entry(key: str, url: str, **fields: Any) -> ModelEntry:
    """An entry for a model of the server at ``url``."""
    given = {"first_token_timeout_s": 5.0, "max_retries": 0, "source": f"org/{key}", **fields}
    return ModelEntry(key=key, provider="openai", base_url=url, allow_insecure=True, **given)


ECHO = ModelEntry(key="echo", provider="echo", source="built-in")


@asynccontextmanager
async def gateway_over(
    *entries: ModelEntry, keys: dict[str, str] | None = None
) -> AsyncIterator[ProviderGateway]:
    """A gateway over ``entries`` and echo."""
    provider = OpenAIProvider((keys or {}).get)
    gateway = ProviderGateway(
        ModelRegistry((*entries, ECHO)), StrategyRegistry.from_toml(), [EchoProvider(), provider]
    )
    try:
        yield gateway
    finally:
        await gateway.close()


def ask(model: str = "far", **fields: Any) -> GenerationRequest:
    """A request."""
    return GenerationRequest(**{"model": model, "prompt": "hi", **fields})


async def _read_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Call(headers, json.loads(body or b"{}"), first.split()[1], writer, asyncio.Event())


async def _watch(reader: asyncio.StreamReader, hung_up: asyncio.Event) -> None:
    with suppress(ConnectionError):  # A reset is a hang-up too.
        await reader.read()
    hung_up.set()
