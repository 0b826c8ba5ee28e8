"""The bus for programs without an event loop, or with one of their own."""

import asyncio
import atexit
import os
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Sequence,
)
from concurrent.futures import Future
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from bus.connection import BusAddress
from bus.prompt_client import PromptClient, StreamItem
from contracts.errors import Cancelled, NotReady, UnknownModel
from contracts.generation import GenerationResult
from contracts.task import GenerateAnswer
from promptbus.endpoint import read_endpoint
from promptbus.process import Process, open_process
from promptbus.settings import Settings, load_settings

# An executor is told to stop within this, or its time limit stops it.
STOP_S = 5.0

Put = Callable[[StreamItem], None]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an open session holds; ``pid`` is the process that the thread belongs to.

    ``work`` are the generations under way, each with what tells its end.
    """

    portal: BlockingPortal
    process: Process
    client: PromptClient
    address: BusAddress
    pid: int
    work: dict[anyio.CancelScope, anyio.Event] = field(default_factory=dict)


class BusSession:
    """Generates over the bus; any number of threads and event loops may use one session.

    It is opened by its first use, on one background thread with an event loop, and closed by
    :meth:`close` or the end of its ``with`` block. Without ``settings`` those of the environment
    are used: the server of ``PROMPTBUS_NATS_URL``, or the promptbus that runs on the data folder.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._opened: _Opened | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the background thread runs."""
        return self._opened is not None

    def close(self) -> None:
        """Stop what still generates, disconnect and end the thread; the next use opens anew.

        Who still waits for a generation gets Cancelled.
        """
        with self._lock:
            self._close()

    def generate(self, tasks: Sequence[GenerateAnswer]) -> list[GenerationResult]:
        """Generate for all of ``tasks`` at once; the first fault stops the others.

        Raises: NotReady, BusUnavailable, UnknownModel, and what the executor says.
        """
        futures = self._start_all(tasks)
        try:
            return [future.result() for future in futures]
        finally:
            _cancel(futures)

    async def agenerate(self, tasks: Sequence[GenerateAnswer]) -> list[GenerationResult]:
        """The same for a program with an event loop; cancelling stops the generations."""
        futures = await asyncio.to_thread(self._start_all, tasks)
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, futures))
        finally:
            _cancel(futures)

    def stream(self, task: GenerateAnswer) -> Generator[StreamItem, None, None]:
        """The text as it comes, notes why it waits, last the result; closing it stops it.

        Raises: as :meth:`generate`.
        """
        queue: SimpleQueue[StreamItem | None] = SimpleQueue()
        opened = self._open()
        future = opened.portal.start_task_soon(_pump, opened, task, queue.put)
        future.add_done_callback(lambda _: queue.put(None))
        try:
            while (item := queue.get()) is not None:
                yield item
            future.result()
        finally:
            future.cancel()

    async def astream(self, task: GenerateAnswer) -> AsyncGenerator[StreamItem, None]:
        """The same for a program with an event loop."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[StreamItem | None] = asyncio.Queue()

        def put(item: StreamItem | None) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, item)

        opened = await asyncio.to_thread(self._open)
        future = opened.portal.start_task_soon(_pump, opened, task, put)
        future.add_done_callback(lambda _: put(None))
        try:
            while (item := await queue.get()) is not None:
                yield item
            future.result()
        finally:
            future.cancel()

    def _start_all(self, tasks: Sequence[GenerateAnswer]) -> list[Future[GenerationResult]]:
        opened = self._open()
        return [opened.portal.start_task_soon(_generate, opened, task) for task in tasks]

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is not None and self._opened.pid != os.getpid():
                # A forked child has the memory of the thread, but not the thread.
                self._stack, self._opened = ExitStack(), None
            if self._opened is not None and _has_moved(self._opened, self._settings):
                self._close()
            if self._opened is None:
                self._opened = self._open_anew()
            return self._opened

    def _open_anew(self) -> _Opened:
        settings = _at_its_server(self._settings or load_settings())
        address = settings.address()
        if address is None:
            raise NotReady(
                f"no promptbus runs on {settings.data_dir}",
                cure="start one: promptbus up; or set PROMPTBUS_NATS_URL",
            )
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal(name="promptbus"))
            process, client = stack.enter_context(
                portal.wrap_async_context_manager(_open_client(settings))
            )
            self._stack = stack.pop_all()
        return _Opened(portal, process, client, address, os.getpid())

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.portal.call(_stop_all, opened)
        self._stack.close()


@cache
def shared_session() -> BusSession:
    """The session of the environment's promptbus, one per process, closed at its exit."""
    session = BusSession()
    atexit.register(session.close)
    return session


@asynccontextmanager
async def _open_client(settings: Settings) -> AsyncIterator[tuple[Process, PromptClient]]:
    async with (
        open_process(settings, "langchain") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        yield process, client


async def _generate(opened: _Opened, task: GenerateAnswer) -> GenerationResult:
    with _stoppable(opened):
        await _check_model(opened.process, task.model)
        return await opened.client.generate(task)
    raise _closed()


async def _pump(opened: _Opened, task: GenerateAnswer, put: Put) -> None:
    with _stoppable(opened):
        await _check_model(opened.process, task.model)
        async with aclosing(opened.client.stream(task)) as items:
            async for item in items:
                put(item)
        return
    raise _closed()


@contextmanager
def _stoppable(opened: _Opened) -> Iterator[None]:
    """Work that the end of the session stops: what follows this block is then reached."""
    with anyio.CancelScope() as scope:
        ended = opened.work[scope] = anyio.Event()
        try:
            yield
        finally:
            del opened.work[scope]
            ended.set()


async def _stop_all(opened: _Opened) -> None:
    work = dict(opened.work)
    for scope in work:
        scope.cancel()
    with anyio.move_on_after(STOP_S):
        for ended in work.values():
            await ended.wait()


def _closed() -> Cancelled:
    return Cancelled("the session was closed while this was generated")


async def _check_model(process: Process, model: str) -> None:
    """Refuse what no executor knows; while none is present, the task waits for one."""
    hosts = await process.board.hosts()
    known = {report.model for host in hosts for report in host.models}
    if hosts and model not in known:
        raise UnknownModel(model=model, known=tuple(sorted(known)))


def _at_its_server(settings: Settings) -> Settings:
    """The same settings at the server that runs on their data folder, if they name none."""
    if settings.address() is not None:
        return settings
    endpoint = read_endpoint(settings.data_dir)
    return settings if endpoint is None else settings.with_address(endpoint.address())


def _has_moved(opened: _Opened, settings: Settings | None) -> bool:
    """Whether the promptbus of the data folder was started anew, at another address."""
    if opened.process.connection.is_connected:
        return False
    address = _at_its_server(settings or load_settings()).address()
    return address is not None and address != opened.address


def _cancel(futures: Sequence[Future[GenerationResult]]) -> None:
    for future in futures:
        future.cancel()
