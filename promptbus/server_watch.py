"""Keeps the embedded server running: started again when it falls, or can no longer write."""

import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from promptbus.nats_server import NatsServer

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
# Looking at its health takes a request.
LOOKS_PER_HEALTH = 4
# A server that could not write once refuses to until it is started again; with less than this free
# it would soon be there again.
ROOM_BYTES = 16 << 20
WARN_EVERY_S = 60.0

StartChild = Callable[[Callable[[], None]], Awaitable[None]]


async def watch_server(server: NatsServer, start: StartChild) -> None:
    """Watch until cancelled; ``start`` calls what starts a child where children are started.

    Raises: NotReady when the server does not come up.
    """
    num_looks = 0
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        num_looks += 1
        if server.pid is None:
            logger.error("nats-server ended; starting it again")
            await start(server.start)
        elif num_looks % LOOKS_PER_HEALTH == 0:
            fault = await anyio.to_thread.run_sync(server.write_fault)
            if fault is not None:
                await _start_when_there_is_room(server, start, fault)


async def _start_when_there_is_room(server: NatsServer, start: StartChild, fault: str) -> None:
    """Nothing is accepted meanwhile; what was is on disk, and goes on afterwards."""
    said_s = float("-inf")
    while (free_bytes := _free_bytes(server.store_dir)) < ROOM_BYTES and server.pid is not None:
        if anyio.current_time() - said_s >= WARN_EVERY_S:
            said_s = anyio.current_time()
            logger.error(
                "nothing can be stored (%s); free some of the disk of %s, %d MiB are left",
                fault,
                server.store_dir,
                free_bytes >> 20,
            )
        await anyio.sleep(LOOK_EVERY_S)
    logger.error("nats-server could not write (%s) and can again; starting it anew", fault)
    await anyio.to_thread.run_sync(server.stop)
    await start(server.start)


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
