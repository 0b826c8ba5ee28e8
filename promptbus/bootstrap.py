"""The composition root: builds actors, hands them what they need, and serves them."""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import anyio
from anyio.abc import TaskGroup

from actors.runtime import ActorRuntime, Queue
from bus.topology import ensure_consumer as make_consumer
from bus.topology import executor_consumer, prompt_consumer, task_consumer
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable
from contracts.prompt import Priority
from promptbus import __version__
from promptbus.process import Process
from promptbus.settings import Settings

ALL_KINDS = tuple(ActorKind)
LIGHT_KINDS = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)


async def serve_actors(
    process: Process,
    kinds: Iterable[ActorKind],
    stop: anyio.Event,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve actors of ``kinds`` on ``process`` until ``stop``; then they finish what they hold.

    Raises: BusUnavailable when the connection is closed for good.
    """
    runtime = ActorRuntime(
        connection=process.connection,
        publisher=process.publisher,
        journal=process.journal,
        board=process.board,
        version=__version__,
    )
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(anyio.create_task_group())
        try:
            for kind in kinds:
                await _BUILDERS[kind](process, runtime, stack, tasks)
            tasks.start_soon(_watch_connection, process, stop)
            await runtime.run(stop, ready)
        finally:
            tasks.cancel_scope.cancel()
    if process.connection.closed.is_set():
        raise BusUnavailable(
            "the NATS connection is closed for good", cure="the process must be started again"
        )


async def _watch_connection(process: Process, stop: anyio.Event) -> None:
    await process.connection.closed.wait()
    stop.set()


def _task_queue(process: Process, kind: ActorKind) -> tuple[Queue, ...]:
    return (Queue(task_consumer(kind), process.settings.max_tasks),)


async def _add_analyzer(
    process: Process, runtime: ActorRuntime, _stack: AsyncExitStack, _tasks: TaskGroup
) -> None:
    from actors.analyzer import Analyzer

    runtime.add(Analyzer(), _task_queue(process, ActorKind.ANALYZER))


async def _add_monitor(
    process: Process, runtime: ActorRuntime, _stack: AsyncExitStack, _tasks: TaskGroup
) -> None:
    from actors.monitor import Monitor

    monitor = Monitor(process.board.hosts, process.settings.default_model)
    runtime.add(monitor, _task_queue(process, ActorKind.MONITOR))


async def _add_validator(
    process: Process, runtime: ActorRuntime, _stack: AsyncExitStack, _tasks: TaskGroup
) -> None:
    from actors.validator import Validator

    runtime.add(Validator(), _task_queue(process, ActorKind.VALIDATOR))


async def _add_summarizer(
    process: Process, runtime: ActorRuntime, stack: AsyncExitStack, _tasks: TaskGroup
) -> None:
    from actors.summarizer import Summarizer
    from promptbus.summary_writer import SummaryWriter

    write = None
    if process.settings.summary_model is not None:
        write = await stack.enter_async_context(SummaryWriter(process))
    runtime.add(Summarizer(write), _task_queue(process, ActorKind.SUMMARIZER))


async def _add_history(
    process: Process, runtime: ActorRuntime, stack: AsyncExitStack, tasks: TaskGroup
) -> None:
    from actors.history import History, Projection
    from promptbus.history_feed import HistoryFeed

    projection = await stack.enter_async_context(Projection.open(history_url(process.settings)))
    feed = HistoryFeed(process.connection, projection)
    tasks.start_soon(feed.run)
    runtime.add(History(projection, feed.catch_up), _task_queue(process, ActorKind.HISTORY))


async def _add_executor(
    process: Process, runtime: ActorRuntime, stack: AsyncExitStack, tasks: TaskGroup
) -> None:
    from actors.executor import Executor
    from promptbus.model_host import ModelHost

    host = ModelHost(process.settings)
    stack.push_async_callback(host.close)
    consumers = [executor_consumer(report.model) for report in host.gateway.models()]
    for consumer in consumers:
        await make_consumer(process.connection.jetstream, consumer)
    queues = [Queue(consumer, process.settings.max_generations) for consumer in consumers]
    runtime.add(Executor(host.gateway), queues, host.describe)
    tasks.start_soon(host.preload)


async def _add_coordinator(
    process: Process, runtime: ActorRuntime, stack: AsyncExitStack, _tasks: TaskGroup
) -> None:
    from actors.coordinator import Coordinator
    from bus.stored_events import StoredEvents

    async def served() -> frozenset[str]:
        reports = await process.board.hosts()
        return frozenset(model.model for report in reports for model in report.models)

    coordinator = Coordinator(
        connection=process.connection,
        journal=process.journal,
        publisher=process.publisher,
        stored=await stack.enter_async_context(StoredEvents(process.connection)),
        served=served,
    )
    settings = process.settings
    queues = [
        Queue(prompt_consumer(priority, settings.lease_s), settings.max_runs)
        for priority in Priority
    ]
    runtime.add_handler(ActorKind.COORDINATOR, coordinator.lead, queues)


def history_url(settings: Settings) -> Any:
    """Where the history's projection lives: the setting, else a SQLite file in the data folder."""
    from actors.history import sqlite_url

    if settings.database_url is not None:
        return settings.database_url
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return sqlite_url(settings.data_dir / "history.sqlite3")


# Each builder imports its actor itself: a monitor box needs neither torch nor langgraph.
_BUILDERS = {
    ActorKind.ANALYZER: _add_analyzer,
    ActorKind.HISTORY: _add_history,
    ActorKind.MONITOR: _add_monitor,
    ActorKind.EXECUTOR: _add_executor,
    ActorKind.VALIDATOR: _add_validator,
    ActorKind.SUMMARIZER: _add_summarizer,
    ActorKind.COORDINATOR: _add_coordinator,
}
