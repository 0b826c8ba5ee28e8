"""The composition root: builds actors, hands them what they need, and serves them."""

from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio

from actors.runtime import ActorRuntime, Queue
from bus.call import CallServer
from bus.placement_board import PlacementBoard
from bus.room import Room
from bus.task_queues import TaskQueues
from bus.topology import prompt_consumer, task_consumer
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.call import ListRuns
from contracts.errors import BusUnavailable
from contracts.placement import HostPlacement
from contracts.prompt import Priority
from promptbus import __version__, garbage
from promptbus.process import Process
from promptbus.settings import Settings

ALL_KINDS = tuple(ActorKind)
HISTORY_NAME = "history.sqlite3"
LIGHT_KINDS = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)


@dataclass(frozen=True, slots=True)
class Roster:
    """What a process serves, while it is put together.

    ``stack`` closes what actors hold, after ``background`` has been ended.
    """

    process: Process
    runtime: ActorRuntime
    stack: AsyncExitStack
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)


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
        stored=process.stored,
        board=process.board,
        version=__version__,
    )
    async with AsyncExitStack() as stack:
        roster = Roster(process, runtime, stack)
        for kind in kinds:
            await _BUILDERS[kind](roster)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch_connection, process, stop)
            tasks.start_soon(process.spans.run)
            for run in roster.background:
                tasks.start_soon(run)
            await runtime.run(stop, lambda: _begin(ready))
            tasks.cancel_scope.cancel()
    if process.connection.closed.is_set():
        raise BusUnavailable(
            "the NATS connection is closed for good", cure="the process must be started again"
        )


def _begin(ready: Callable[[], None] | None) -> None:
    garbage.settle()
    if ready is not None:
        ready()


async def _watch_connection(process: Process, stop: anyio.Event) -> None:
    await process.connection.closed.wait()
    stop.set()


def _task_queue(process: Process, kind: ActorKind) -> tuple[Queue, ...]:
    settings = process.settings
    return (Queue(task_consumer(kind, settings.lease_s), settings.max_tasks),)


async def _add_analyzer(roster: Roster) -> None:
    from actors.analyzer import Analyzer

    roster.runtime.add(Analyzer(), _task_queue(roster.process, ActorKind.ANALYZER))


async def _add_monitor(roster: Roster) -> None:
    from actors.monitor import Monitor, Placer, RefusalQueues

    process = roster.process
    placer = Placer(
        hosts=process.board.hosts,
        placements=PlacementBoard(process.connection, process.publisher),
        queues=TaskQueues(process.connection),
        decided_by=process.source,
    )
    roster.background.append(placer.run)
    monitor = Monitor(
        process.board.hosts,
        process.settings.default_model,
        placer.ensure,
        fresh_hosts=partial(process.board.hosts, max_age_s=0),
    )
    own = _task_queue(process, ActorKind.MONITOR)
    refusals = RefusalQueues(own=own, hopeless=placer.hopeless, lease_s=process.settings.lease_s)
    roster.runtime.add(monitor, own, source=refusals)


async def _add_validator(roster: Roster) -> None:
    from actors.validator import Validator

    roster.runtime.add(Validator(), _task_queue(roster.process, ActorKind.VALIDATOR))


async def _add_summarizer(roster: Roster) -> None:
    from actors.summarizer import Summarizer
    from promptbus.summary_writer import SummaryWriter

    write = None
    if roster.process.settings.summary_model is not None:
        write = await roster.stack.enter_async_context(SummaryWriter(roster.process))
    roster.runtime.add(Summarizer(write), _task_queue(roster.process, ActorKind.SUMMARIZER))


async def _add_history(roster: Roster) -> None:
    from actors.history import History, Projection
    from promptbus.history_feed import HistoryFeed

    projection = await roster.stack.enter_async_context(
        Projection.open(history_url(roster.process.settings))
    )
    feed = HistoryFeed(roster.process.connection, roster.process.stored, projection)
    roster.background.append(feed.run)
    history = History(projection, feed.catch_up)
    calls = CallServer(
        roster.process.connection,
        subjects.call(ActorKind.HISTORY),
        {ListRuns: history.list_runs},
        queue=ActorKind.HISTORY,
    )
    roster.background.append(calls.run)
    roster.runtime.add(history, _task_queue(roster.process, ActorKind.HISTORY))


async def _add_executor(roster: Roster) -> None:
    from actors.executor import Executor, ExecutorControl, QueueSet
    from promptbus.model_host import ModelHost

    process, settings = roster.process, roster.process.settings
    host = ModelHost(settings)
    roster.stack.push_async_callback(host.close)
    placements = PlacementBoard(process.connection, process.publisher)
    control = ExecutorControl(
        host=settings.executor_name,
        gateway=host.gateway,
        describe=host.describe,
        placements=placements,
    )
    calls = CallServer(
        process.connection,
        subjects.call(ActorKind.EXECUTOR, settings.executor_name),
        control.handlers(),
    )
    roster.background.append(calls.run)
    queues = QueueSet(
        host=settings.executor_name,
        gateway=host.gateway,
        describe=host.describe,
        connection=process.connection,
        placements=placements,
        max_in_flight=settings.max_generations,
        preload=settings.preload,
        lease_s=settings.lease_s,
    )
    roster.runtime.add(
        Executor(host.gateway), (), host.describe, name=settings.executor_name, source=queues
    )


async def _add_coordinator(roster: Roster) -> None:
    from actors.coordinator import Coordinator, WaitFacts, WaitReporter

    async def served() -> frozenset[str]:
        hosts = await roster.process.board.hosts()
        return frozenset(
            report.model for host in hosts for report in host.models if report.resident
        )

    async def placements() -> list[HostPlacement]:
        return [placed.placement for placed in (await placement_board.read_all()).values()]

    connection = roster.process.connection
    placement_board = PlacementBoard(connection, roster.process.publisher)
    facts = WaitFacts(connection, roster.process.board.hosts, placements)
    waits = WaitReporter(connection, facts.read)
    roster.background.append(waits.run)
    roster.background.append(Room(connection).watch)
    coordinator = Coordinator(
        connection=connection,
        journal=roster.process.journal,
        publisher=roster.process.publisher,
        stored=roster.process.stored,
        served=served,
        waits=waits,
    )
    settings = roster.process.settings
    queues = [
        Queue(prompt_consumer(priority, settings.lease_s), settings.max_runs)
        for priority in Priority
    ]
    roster.runtime.add_handler(ActorKind.COORDINATOR, coordinator.lead, queues)


def history_url(settings: Settings) -> Any:
    """Where the history's projection lives: the setting, else a SQLite file in the data folder."""
    from actors.history import sqlite_url

    if settings.database_url is not None:
        return settings.database_url
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return sqlite_url(settings.data_dir / HISTORY_NAME)


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
