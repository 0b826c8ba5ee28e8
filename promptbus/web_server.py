"""Serves the API inside the process that holds the bus connection."""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import uvicorn

from api.limits import ApiLimits
from api.server import create_app
from bus.prompt_client import PromptClient
from contracts.errors import NotReady
from promptbus import __version__
from promptbus.process import Process
from promptbus.settings import Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
STOP_S = 5
BACKLOG = 2048


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

    Raises: NotReady when the address is taken, or is not loopback while the API has no keys.
    """
    if settings.host not in LOOPBACK:
        raise NotReady(
            f"the API is not bound to {settings.host}: it has no access keys yet",
            cure="bind it to 127.0.0.1 and put a proxy with authentication in front",
        )
    with _bound(settings.host, settings.port) as listener:
        yield listener


@asynccontextmanager
async def serve_api(process: Process, listener: socket.socket) -> AsyncIterator[str]:
    """Serve on ``listener`` until the context is left; yields the base URL."""
    limits = ApiLimits()
    async with PromptClient(process.connection, process.publisher, process.stored) as client:
        app = create_app(
            client=client,
            board=process.board,
            connection=process.connection,
            limits=limits,
            version=__version__,
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
