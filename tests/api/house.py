"""A whole promptbus for tests of the bridge: real NATS, real actors, a real application."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import anyio
import httpx2
import uvicorn
from fastapi import FastAPI

from actors.actor import Actor, Step, handler
from actors.runtime import ActorRuntime, Queue
from api.limits import ApiLimits
from api.server import create_app
from bus.connection import BusAddress
from bus.key_board import KeyBoard
from bus.prompt_client import PromptClient
from bus.topology import ensure_consumer, executor_consumer
from contracts.actor_kind import ActorKind
from contracts.api_key import ApiKey, Scope, new_api_key
from contracts.event import AnswerGenerated, StepEvent
from contracts.generation import GenerationResult
from contracts.presence import HostReport, ModelReport
from contracts.prompt import Priority
from contracts.task import GenerateAnswer
from promptbus.bootstrap import serve_actors
from promptbus.process import Process, open_process
from promptbus.settings import load_settings

VERSION = "9.9.9"
SLOW = "slow"


@dataclass(frozen=True)
class House:
    """One running system and its application."""

    process: Process
    client: PromptClient
    app: FastAPI

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx2.AsyncClient]:
        """A client that calls the application directly."""
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield client

    async def new_key(
        self, *scopes: Scope, now: datetime | None = None, expires_at: datetime | None = None
    ) -> tuple[str, ApiKey]:
        """A key made by another process, as the command line would."""
        token, key = new_api_key(
            "test", scopes, now=now or datetime.now(UTC), expires_at=expires_at
        )
        await KeyBoard(self.process.connection, self.process.publisher).add(key)
        return token, key

    async def revoke(self, key: ApiKey) -> None:
        """Revoke one, likewise."""
        board = KeyBoard(self.process.connection, self.process.publisher)
        await board.revoke(key.key_id, datetime.now(UTC))


class SlowExecutor(Actor):
    """Says one word every ``pause_s`` until it is cancelled or out of words."""

    kind: ClassVar[ActorKind] = ActorKind.EXECUTOR

    def __init__(self, word: str = "word ", pause_s: float = 0.02) -> None:
        self._word = word
        self._pause_s = pause_s
        self.cancelled: list[str] = []

    @handler
    async def generate(self, task: GenerateAnswer, step: Step) -> StepEvent:
        """Say words."""
        num_words = 0
        while num_words < (task.max_tokens or 256) and not step.cancelled:
            await step.emit(self._word)
            num_words += 1
            await anyio.sleep(self._pause_s)
        await step.finish()
        if step.cancelled:
            self.cancelled.append(task.run_id)
        result = GenerationResult(
            output=(self._word * num_words)[:100_000],
            model=SLOW,
            strategy=task.strategy,
            provider="slow",
            source="local",
            finish_reason="cancelled" if step.cancelled else "length",
        )
        return AnswerGenerated(run_id=task.run_id, attempt=task.attempt, result=result)

    async def describe(self) -> HostReport:
        """A host with one model."""
        model = ModelReport(
            model=SLOW,
            provider="slow",
            source="local",
            strategies=("standard",),
            default_strategy="standard",
            resident=True,
            resident_strategy="standard",
        )
        return HostReport(host="tortoise", num_cpus=1, models=(model,))


@asynccontextmanager
async def open_house(
    address: BusAddress,
    data_dir: Path,
    *,
    kinds: Iterable[ActorKind] = tuple(ActorKind),
    slow: SlowExecutor | None = None,
    limits: ApiLimits | None = None,
    models_file: Path | None = None,
    with_keys: bool = False,
    allowed_hosts: Iterable[str] | None = None,
    allowed_origins: Iterable[str] = (),
) -> AsyncIterator[House]:
    """Serve ``kinds`` (and ``slow``) and build the application; all of it in this event loop."""
    wanted = tuple(kinds)
    settings = load_settings(data_dir=data_dir, preload=(), models_file=models_file).with_address(
        address
    )
    async with open_process(settings, "test") as process, anyio.create_task_group() as tasks:
        stop = anyio.Event()
        served: list[anyio.Event] = []

        async def start(run: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
            ready, done = anyio.Event(), anyio.Event()
            served.append(done)

            async def run_until_stopped() -> None:
                await run(ready.set)
                done.set()

            tasks.start_soon(run_until_stopped)
            with anyio.fail_after(20):
                await ready.wait()

        if wanted:
            await start(lambda ready: serve_actors(process, wanted, stop, ready))
        if slow is not None:
            runtime = await _slow_runtime(process, slow)
            await start(lambda ready: runtime.run(stop, ready))
        try:
            async with PromptClient(
                process.connection, process.publisher, process.stored
            ) as client:
                await _all_present(process, wanted, slow is not None)
                app = create_app(
                    client=client,
                    board=process.board,
                    connection=process.connection,
                    limits=limits or ApiLimits(),
                    version=VERSION,
                    keys=KeyBoard(process.connection, process.publisher) if with_keys else None,
                    allowed_hosts=None if allowed_hosts is None else tuple(allowed_hosts),
                    allowed_origins=tuple(allowed_origins),
                )
                yield House(process, client, app)
        finally:
            stop.set()
            with anyio.move_on_after(25, shield=True):
                for done in served:
                    await done.wait()


@asynccontextmanager
async def serve(
    app: FastAPI, limits: ApiLimits | None = None, *, send_buffer_bytes: int | None = None
) -> AsyncIterator[int]:
    """Serve ``app`` with uvicorn on a free port of loopback; yields the port.

    With ``send_buffer_bytes`` the kernel holds no more than about that for a client that does not
    read; it is megabytes otherwise.
    """
    with socket.socket() as listener:
        if send_buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        listener.bind(("127.0.0.1", 0))
        options = (limits or ApiLimits()).uvicorn_options()
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, **options)
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:
                await anyio.sleep(0.01)
            yield int(listener.getsockname()[1])
            server.should_exit = True


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until ``condition`` holds."""
    with anyio.fail_after(timeout_s):
        while not condition():
            await anyio.sleep(0.01)


async def _slow_runtime(process: Process, slow: SlowExecutor) -> ActorRuntime:
    runtime = ActorRuntime(
        connection=process.connection,
        publisher=process.publisher,
        journal=process.journal,
        stored=process.stored,
        board=process.board,
        version=VERSION,
    )
    consumers = [executor_consumer(SLOW, priority) for priority in Priority]
    for consumer in consumers:
        await ensure_consumer(process.connection.jetstream, consumer)
    runtime.add(slow, [Queue(consumer, 8) for consumer in consumers], slow.describe)
    return runtime


async def _all_present(process: Process, kinds: Iterable[ActorKind], slow: bool) -> None:
    wanted = set(kinds) | ({ActorKind.EXECUTOR} if slow else set())
    with anyio.fail_after(10):
        while True:
            if {one.kind for one in await process.board.present(max_age_s=0)} >= wanted:
                return
            await anyio.sleep(0.02)
