"""Whether there is room for more: looked at now and then, told before it is too late."""

import logging
import time
from collections.abc import Sequence

import anyio
from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy
from nats.js.errors import APIError

from bus.bucket import ObjectBucket
from bus.connection import Connection
from bus.topology import PAYLOADS_BUCKET, PROMPTS, RUNS
from contracts.errors import BusUnavailable, QueueFull
from contracts.stream_usage import StreamUsage, alarms, first_closed

logger = logging.getLogger(__name__)

# Streams hold gigabytes: the share that is kept free lasts longer than this.
LOOK_EVERY_S = 5.0
WATCH_EVERY_S = 30.0
# A warning that goes on is worth another line so often.
WARN_EVERY_S = 600.0
# What a run writes to; the others have owners of their own.
NEEDED = (RUNS, PROMPTS, ObjectBucket(PAYLOADS_BUCKET, 0, 0).stream)


class Room:
    """The streams of one connection, and how full they are."""

    def __init__(self, connection: Connection, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._connection = connection
        self._look_every_s = look_every_s
        self._usages: tuple[StreamUsage, ...] = ()
        self._looked_s = float("-inf")
        self._warned: dict[str, float] = {}

    async def read(self) -> Sequence[StreamUsage]:
        """How full each stream is now.

        Raises: BusUnavailable.
        """
        try:
            found = await self._connection.jetstream.streams_info()
        except (APIError, NatsError, TimeoutError) as exc:
            raise BusUnavailable(f"the streams do not tell their sizes: {exc}") from exc
        self._usages = tuple(
            StreamUsage(
                name=info.config.name or "",
                size_bytes=info.state.bytes,
                max_bytes=info.config.max_bytes or -1,
                keeps_all=info.config.discard == DiscardPolicy.NEW,
            )
            for info in found
        )
        self._looked_s = time.monotonic()
        return self._usages

    async def check(self) -> None:
        """Whether a new run may be accepted.

        Raises: QueueFull where one of the streams it needs is nearly full. Where they do not tell,
        the publish that follows will.
        """
        if time.monotonic() - self._looked_s > self._look_every_s:
            try:
                await self.read()
            except BusUnavailable as exc:
                logger.debug("%s", exc)
                return
        closed = first_closed(self._usages, NEEDED)
        if closed is not None:
            raise QueueFull(
                f"no room for new prompts: {closed.describe()}",
                cure="wait until older runs are dropped, or raise the limit of the stream",
            )

    async def watch(self) -> None:
        """Warn in the log of streams that fill up, until cancelled."""
        while True:
            try:
                self.tell(alarms(await self.read()))
            except BusUnavailable as exc:
                logger.debug("%s", exc)
            await anyio.sleep(WATCH_EVERY_S)

    def tell(self, full: Sequence[StreamUsage]) -> None:
        """Warn of the streams in ``full``, of each once in a while."""
        now_s = time.monotonic()
        names = {one.name for one in full}
        self._warned = {name: at_s for name, at_s in self._warned.items() if name in names}
        for one in full:
            if now_s - self._warned.get(one.name, float("-inf")) >= WARN_EVERY_S:
                self._warned[one.name] = now_s
                logger.warning("%s; new prompts are refused from 95 %% on", one.describe())
