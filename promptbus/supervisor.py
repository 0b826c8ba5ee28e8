"""Everything on one machine: the embedded server, the executor's process, the light actors."""

import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio

from contracts.actor_kind import ActorKind
from contracts.errors import NotReady
from contracts.presence import ModelReport
from promptbus.bootstrap import LIGHT_KINDS, serve_actors
from promptbus.child_process import spawn, stop
from promptbus.endpoint import read_endpoint
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Durability, Settings
from promptbus.telemetry import set_up_tracing

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
RESTART_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
# A child that lived this long was well; its next fall starts the pauses anew.
WELL_S = 60.0
READY_TIMEOUT_S = 120.0

Say = Callable[[str], None]


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
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        server: NatsServer | None = None
        if settings.address() is None:
            say("starting NATS")
            synced = settings.durability is Durability.DURABLE
            server = NatsServer(
                settings.data_dir / "nats", binary=settings.nats_server, synced=synced
            )
            await anyio.to_thread.run_sync(server.start)
            stack.callback(server.stop)
            settings = settings.with_address(server.address)
        executor = ExecutorProcess(settings)
        executor.start()
        stack.callback(executor.stop)
        say("starting actors")
        spans = set_up_tracing("main")
        process = await stack.enter_async_context(open_process(settings, "main"))
        end, ready = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(spans.run, process.connection)
            tasks.start_soon(_watch, executor, server)
            async with anyio.create_task_group() as serving:
                serving.start_soon(serve_actors, process, LIGHT_KINDS, end, ready.set)
                await ready.wait()
                try:
                    yield process
                finally:
                    end.set()
            tasks.cancel_scope.cancel()


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
    log = process.settings.data_dir / "executor.log"
    raise NotReady(f"no executor serves {model}", cure=f"read its log: {log}")


class ExecutorProcess:
    """The executor as a child process, so that torch never blocks the other actors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._num_falls = 0
        self.log: Path = settings.data_dir / "executor.log"

    def start(self) -> None:
        """Start the child; its settings travel in the environment, never in argv."""
        argv = [sys.executable, "-m", "promptbus", "actor", str(ActorKind.EXECUTOR)]
        with self.log.open("wb") as log:
            self._process = spawn(argv, env=self._settings.environment(), log=log)
        self._started_s = time.monotonic()

    @property
    def has_ended(self) -> bool:
        """Whether the child is gone though nobody stopped it."""
        return self._process is not None and self._process.poll() is not None

    def next_pause_s(self) -> float:
        """How long to wait before it is started again."""
        if time.monotonic() - self._started_s > WELL_S:
            self._num_falls = 0
        pause_s = RESTART_PAUSES_S[min(self._num_falls, len(RESTART_PAUSES_S) - 1)]
        self._num_falls += 1
        return pause_s

    def last_line(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """End the child in order."""
        if self._process is not None:
            stop(self._process)
            self._process = None


async def _watch(executor: ExecutorProcess, server: NatsServer | None) -> None:
    """Start again what falls."""
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        if executor.has_ended:
            pause_s = executor.next_pause_s()
            logger.error("the executor ended (%s); again in %g s", executor.last_line(), pause_s)
            await anyio.sleep(pause_s)
            executor.start()
        if server is not None and server.pid is None:
            logger.error("nats-server ended; starting it again")
            await anyio.to_thread.run_sync(server.start)
