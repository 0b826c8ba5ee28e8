"""Several kinds of actors in one process, for layouts that the command line does not offer.

Run ``python -m benchmarks.actor_group analyzer history …`` with a NATS server in the settings.
"""

import sys

import anyio
import uvloop

from contracts.actor_kind import ActorKind
from promptbus.bootstrap import serve_actors
from promptbus.cli.client import wait_for_signal
from promptbus.log_format import set_up_logging
from promptbus.process import open_process
from promptbus.settings import load_settings


async def main() -> None:
    """Serve until SIGTERM or SIGINT, as ``promptbus actor`` does."""
    kinds = tuple(ActorKind(name) for name in sys.argv[1:])
    set_up_logging("WARNING")
    async with open_process(load_settings(), "group") as process:
        stop = anyio.Event()

        async def end_on_signal() -> None:
            await wait_for_signal()
            stop.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_on_signal)
            await serve_actors(process, kinds, stop, lambda: print("serving", flush=True))
            tasks.cancel_scope.cancel()


if __name__ == "__main__":
    uvloop.run(main())
