"""Serves the API inside the process that holds the bus connection."""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio
import uvicorn

from api.limits import ApiLimits
from api.origin import is_loopback
from api.server import create_app
from bus.key_board import KeyBoard
from bus.prompt_client import PromptClient
from contracts.errors import NotReady
from promptbus import __version__
from promptbus.process import Process
from promptbus.settings import Settings

STOP_S = 5
BACKLOG = 2048
# Where `make page` and the wheel put the built page.
PAGE_FOLDER: Final = Path(__file__).parent / "page"


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has one place that ends it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell when the server listens."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def open_listener(settings: Settings) -> Iterator[socket.socket]:
    """The socket of the API, bound before anything else is started.

    Raises: NotReady when the address is taken, or is not loopback while keys are switched off.
    """
    if settings.require_keys is False and not is_loopback(settings.host):
        raise NotReady(
            f"the API is not bound to {settings.host} without keys: who reaches it would own it",
            cure="leave PROMPTBUS_REQUIRE_KEYS away, or bind it to 127.0.0.1",
        )
    with _bound(settings.host, settings.port) as listener:
        yield listener


@asynccontextmanager
async def serve_api(process: Process, listener: socket.socket) -> AsyncIterator[str]:
    """Serve on ``listener`` until the context is left; yields the base URL.

    Raises: NotReady when keys are needed and there is none.
    """
    settings = process.settings
    limits = ApiLimits(
        requests_per_minute=settings.requests_per_minute,
        max_requests=settings.max_requests,
        max_sockets=settings.max_sockets,
    )
    keys = KeyBoard(process.connection, process.publisher) if needs_keys(settings) else None
    if keys is not None:
        await _check_keys(keys, settings)
    async with PromptClient(process.connection, process.publisher, process.stored) as client:
        app = create_app(
            client=client,
            board=process.board,
            connection=process.connection,
            limits=limits,
            version=__version__,
            keys=keys,
            allowed_hosts=_allowed_hosts(settings),
            allowed_origins=settings.allowed_origins,
            page_folder=PAGE_FOLDER if (PAGE_FOLDER / "index.html").is_file() else None,
            trace_url=settings.trace_url,
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=STOP_S,
            **limits.uvicorn_options(),
        )
        server = _Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            await server.listening.wait()
            try:
                yield _url(listener)
            finally:
                server.should_exit = True


def needs_keys(settings: Settings) -> bool:
    """Whether the API asks for keys: where it is told to, and wherever others can reach it."""
    if settings.require_keys is not None:
        return settings.require_keys
    return not is_loopback(settings.host)


def _allowed_hosts(settings: Settings) -> tuple[str, ...] | None:
    """The names the API may be called by; off loopback it is the key that counts."""
    if not is_loopback(settings.host) and not settings.allowed_hosts:
        return None
    return settings.allowed_hosts


async def _check_keys(keys: KeyBoard, settings: Settings) -> None:
    now = datetime.now(UTC)
    if not any(key.is_usable(now) for key in (await keys.read_all()).values()):
        raise NotReady(
            f"the API at {settings.host} asks for keys, and there is none",
            cure="make one and start again: promptbus keys create NAME (same --data-dir)",
        )


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Listening now: two that only bound would both believe that the port is theirs.
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            reason = f"port {port} of {host} is taken"
        else:
            reason = f"port {port} of {host} cannot be used: {exc.strerror}"
        raise NotReady(reason, cure="choose another with --port, or 0 for any") from exc
    listener.set_inheritable(False)
    return listener
