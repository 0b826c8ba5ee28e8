"""Everything on one machine: the embedded server, children for two actors, the others here."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from contracts.actor_kind import ActorKind
from contracts.errors import NotReady
from contracts.presence import ModelReport
from promptbus.actor_process import ActorProcess, log_of
from promptbus.bootstrap import serve_actors
from promptbus.data_folder_lock import lock_data_folder
from promptbus.endpoint import read_endpoint
from promptbus.nats_server import STORE_NAME, NatsServer
from promptbus.process import Process, open_process
from promptbus.server_watch import watch_server
from promptbus.settings import Durability, Settings

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
READY_TIMEOUT_S = 120.0
# Torch would block whoever shares its process, and leading runs is half of all other work.
_IN_CHILDREN = (ActorKind.EXECUTOR, ActorKind.COORDINATOR)
_IN_MAIN = tuple(kind for kind in ActorKind if kind not in _IN_CHILDREN)

Say = Callable[[str], None]


class ChildStarter:
    """Starts children from one thread that lives as long as they may.

    On Linux the signal that ends a child with its parent is bound to the thread that started it:
    a worker thread of a pool that is idle for a while would end and take the child with it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="children")

    async def run(self, start: Callable[[], None]) -> None:
        """Call ``start`` on that thread and wait for it, though this task be cancelled."""
        with anyio.CancelScope(shield=True):
            await asyncio.get_running_loop().run_in_executor(self._thread, start)

    def close(self) -> None:
        """End the thread; children must have ended before."""
        self._thread.shutdown()


@asynccontextmanager
async def embedded(settings: Settings, say: Say) -> AsyncIterator[Process]:
    """Start everything on this machine and end it in order; yields the main process.

    Uses the NATS server of the settings where one is set, else starts one. ``say`` is told what
    is going on, in a few words.

    Raises: NotReady when it runs already or something does not start, BusUnavailable.
    """
    running = read_endpoint(settings.data_dir)
    if running is not None:
        raise NotReady(
            f"promptbus runs already on {settings.data_dir} (process {running.pid})",
            cure=f"use it at {running.api_url}, end it, or choose another --data-dir",
        )
    async with AsyncExitStack() as stack:
        stack.enter_context(lock_data_folder(settings.data_dir))
        starter = ChildStarter()
        stack.callback(starter.close)
        server: NatsServer | None = None
        if settings.address() is None:
            say("starting NATS")
            server = embedded_server(settings)
            stack.callback(server.stop)
            await starter.run(server.start)
            settings = settings.with_address(server.address)
        children = [ActorProcess(settings, kind) for kind in _IN_CHILDREN]
        for child in children:
            stack.callback(child.stop)
            await starter.run(child.start)
        say("starting actors")
        process = await stack.enter_async_context(open_process(settings, "main"))
        end, ready = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            for child in children:
                tasks.start_soon(_watch_actor, child, starter)
            if server is not None:
                tasks.start_soon(watch_server, server, starter.run)
            async with anyio.create_task_group() as serving:
                serving.start_soon(serve_actors, process, _IN_MAIN, end, ready.set)
                await ready.wait()
                try:
                    yield process
                finally:
                    end.set()
            tasks.cancel_scope.cancel()


def embedded_server(settings: Settings) -> NatsServer:
    """The server of the data folder, as the settings want it; not started."""
    return NatsServer(
        settings.data_dir / STORE_NAME,
        binary=settings.nats_server,
        synced=settings.durability is Durability.DURABLE,
    )


async def wait_for_model(process: Process, model: str, say: Say) -> ModelReport:
    """Wait until an executor has ``model`` resident, or serves it without loading.

    Raises: NotReady after two minutes, naming the executor's log.
    """
    say("starting the executor")
    with anyio.move_on_after(READY_TIMEOUT_S):
        while True:
            for host in await process.board.hosts():
                for report in host.models:
                    if report.model != model:
                        continue
                    if report.resident or not report.available:
                        return report
                    percent = f" {report.loading:.0%}" if report.loading is not None else ""
                    say(f"loading {model}{percent}")
            await anyio.sleep(0.1)
    log = log_of(process.settings, ActorKind.EXECUTOR)
    raise NotReady(f"no executor serves {model}", cure=f"read its log: {log}")


async def _watch_actor(actor: ActorProcess, starter: ChildStarter) -> None:
    """Start the actor again when it falls.

    Raises: NotReady when it cannot start at all.
    """
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        if actor.has_ended:
            actor.check_first_start()
            ended, pause_s = actor.how_it_ended(), actor.next_pause_s()
            logger.error("the %s ended (%s); again in %g s", actor.kind, ended, pause_s)
            await anyio.sleep(pause_s)
            await starter.run(actor.start)
