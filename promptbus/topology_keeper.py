"""Makes the streams again that a NATS server forgets when it restarts."""

import logging
from collections.abc import Callable

from bus.topology import declare, ensure
from contracts.errors import TopologyDrift
from promptbus.process import Process

logger = logging.getLogger(__name__)


def keep_topology(process: Process) -> Callable[[], None]:
    """Make what is missing after every reconnect; the returned function ends that.

    TASKS, TOKENS and the buckets live in the server's memory. Called before workers are added, so
    that they find their queues when they pull again.
    """
    settings = process.settings
    topology = declare(num_replicas=settings.nats_replicas, lease_s=settings.lease_s)

    async def remake() -> None:
        try:
            await ensure(process.connection.jetstream, topology)
        except TopologyDrift as exc:
            logger.error("NATS came back with other streams: %s", exc)

    return process.connection.on_reconnect(remake)
