"""``promptbus api``: the API alone, against a given NATS server."""

import anyio

from contracts.errors import BusUnavailable
from promptbus.cli.client import wait_for_signal
from promptbus.cli.shell import err
from promptbus.process import open_process
from promptbus.settings import Settings
from promptbus.web_server import open_listener, serve_api


async def run_api(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT.

    Raises: BusUnavailable when the connection is closed for good.
    """
    with open_listener(settings) as listener:
        async with (
            open_process(settings, "api") as process,
            serve_api(process, listener) as url,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_watch, process.connection.closed)
            err.print(f"the API is serving on {url}")
            await wait_for_signal()
            tasks.cancel_scope.cancel()
    return 0


async def _watch(closed: anyio.Event) -> None:
    await closed.wait()
    raise BusUnavailable(
        "the NATS connection is closed for good", cure="the process must be started again"
    )
