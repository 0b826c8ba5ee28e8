"""A worker on a durable pull consumer that keeps as many messages coming as it has free slots.

One standing pull request serves many messages: as slots become free the worker tops it up, so a
message never waits for a round trip, and none is ever pulled that no slot is free for. Each
message is handed on at once, never as a batch.
"""

import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.payload_store import PayloadStore
from bus.topology import Consumer, ensure_consumer
from contracts.errors import PromptbusError

logger = logging.getLogger(__name__)

PULL_EXPIRES_S = 30.0
# A server that dies takes its requests with it and tells nobody.
HEARTBEAT_S = 2.0
# So many missed heartbeats: the request is gone, whatever the reason.
MISSED_HEARTBEATS = 2
# In-progress is sent this often per AckWait, so that two may be lost.
PROGRESS_PER_ACK_WAIT = 3
# Work beyond this is given up to another worker: a hung handler must not hold a message for ever.
WORK_CEILING_S = 24 * 3600.0
DRAIN_S = 20.0
# Ending a subscription is one round trip.
DROP_S = 2.0

ACK_PREFIX: Final = "$JS.ACK."
_SECOND_NS = 1_000_000_000
_HEARTBEAT: Final = str(HTTPStatus.CONTINUE.value)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message, once delivered; ``num_delivered`` counts from 1."""

    subject: str
    headers: Mapping[str, str]
    data: bytes
    num_delivered: int
    stream_sequence: int
    stored_at_s: float


class Retry(Exception):
    """The message shall come back after ``delay_s``."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"retry in {delay_s:g} s")
        self.delay_s = delay_s


class Reject(Exception):
    """The message shall never come back; whoever raises has recorded why."""


Handle = Callable[[Delivery], Awaitable[None]]


def backoff_s(num_delivered: int, *, base_s: float = 0.5, max_s: float = 30.0) -> float:
    """Exponential backoff with full jitter; the first retry waits up to ``base_s``."""
    ceiling = min(max_s, base_s * 2 ** min(num_delivered - 1, 16))
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads load, keeps no secret


class PullWorker:
    """Serves one durable consumer with up to ``max_in_flight`` messages at a time."""

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        handle: Handle,
        *,
        max_in_flight: int,
        drain_s: float = DRAIN_S,
        expires_s: float = PULL_EXPIRES_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._connection = connection
        self._payloads = PayloadStore(connection)
        self._consumer = consumer
        self._handle = handle
        self._max_in_flight = max_in_flight
        self._drain_s = drain_s
        self._expires_s = expires_s
        self._heartbeat_s = heartbeat_s
        self._in_flight: dict[str, tuple[Msg, float]] = {}  # by ack subject
        self._requested = 0
        self._heard_s = time.monotonic()
        self._missing = False
        self._stopping = False
        self._stop = anyio.Event()
        self._idle = anyio.Event()
        self._inbox = ""
        self._num_requests = 0
        self._subscription: Subscription | None = None
        self._renewing = anyio.Lock()
        self._left = anyio.Event()
        self._tasks: TaskGroup | None = None

    @property
    def num_in_flight(self) -> int:
        """Messages being worked on."""
        return len(self._in_flight)

    async def resize(self, max_in_flight: int) -> None:
        """Work on up to that many messages from now on; those in flight beyond it are finished."""
        self._max_in_flight = max_in_flight
        await self._top_up()

    def stop(self) -> None:
        """Take no more messages; :meth:`run` returns when those in flight are done."""
        self._stop.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until :meth:`stop` or cancellation; what is unfinished then goes back at once.

        ``task_status`` is told when the first pull request is out.
        """
        forget = self._connection.on_reconnect(self._pull_afresh)
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                try:
                    await self._pull_afresh()
                    task_status.started()
                    tasks.start_soon(self._keep_pulling)
                    tasks.start_soon(self._send_progress)
                    await self._stop.wait()
                finally:
                    await self._leave()
                with anyio.move_on_after(self._drain_s):
                    while self._in_flight:
                        self._idle = anyio.Event()
                        await self._idle.wait()
                tasks.cancel_scope.cancel()
        finally:
            forget()

    async def _leave(self) -> None:
        """Pull no more; what arrives meanwhile goes back at once."""
        self._stopping = True
        with anyio.CancelScope(shield=True):
            if self._subscription is not None:
                await self._drop(self._subscription)
        self._left.set()

    async def _pull_afresh(self) -> None:
        """Forget what was requested, and see to it that the server forgets it too.

        Requests live as long as somebody listens on their inbox, over a reconnect as well. A new
        inbox ends the old ones, so that never more is pulled than there are slots.
        """
        async with self._renewing:
            if self._stopping:
                return
            old, self._requested = self._subscription, 0
            self._inbox = str(self._connection.client.new_inbox())
            self._subscription = await self._connection.client.subscribe(
                f"{self._inbox}.*",
                cb=partial(self._on_message, self._inbox),
                pending_msgs_limit=-1,
            )
            if old is not None:
                await self._drop(old)
        await self._top_up()

    async def _drop(self, subscription: Subscription) -> None:
        """End a subscription; the messages it still holds are handed back."""
        try:
            if not self._connection.is_connected:
                await subscription.unsubscribe()
                return
            with anyio.move_on_after(DROP_S):
                await subscription.drain()  # type: ignore[no-untyped-call]
        except (NatsError, TimeoutError) as exc:
            logger.debug("%s: subscription not drained: %s", self._consumer.name, exc)

    async def _top_up(self) -> None:
        wanted = self._max_in_flight - len(self._in_flight) - self._requested
        # Half of the slots at once keeps requests few; an empty request must never linger.
        if wanted <= 0 or (self._requested > 0 and 2 * wanted < self._max_in_flight):
            return
        if self._stopping or not self._connection.is_connected:
            return
        self._requested += wanted
        self._num_requests += 1
        request = {
            "batch": wanted,
            "expires": int(self._expires_s * _SECOND_NS),
            "idle_heartbeat": int(self._heartbeat_s * _SECOND_NS),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._consumer.stream}.{self._consumer.name}"
        await self._connection.client.publish(
            subject, json.dumps(request).encode(), reply=f"{self._inbox}.{self._num_requests}"
        )

    async def _on_message(self, inbox: str, message: Msg) -> None:
        self._heard_s = time.monotonic()
        current = inbox == self._inbox
        if not message.reply.startswith(ACK_PREFIX):
            if current:
                headers = message.headers or {}
                await self._on_status(headers.get("Status", ""), headers)
            return
        if self._tasks is None or self._stopping or not current:
            await self._settle(message, "nak")
            return
        self._requested = max(0, self._requested - 1)
        self._in_flight[message.reply] = (message, time.monotonic())
        self._tasks.start_soon(self._work, message)
        if self._requested <= 0:
            await self._top_up()

    async def _on_status(self, status: str, headers: Mapping[str, str]) -> None:
        if status == _HEARTBEAT:
            return
        undelivered = headers.get("Nats-Pending-Messages", "")
        if undelivered.isdecimal():
            # This request ended with so many messages undelivered; the others go on.
            self._requested = max(0, self._requested - int(undelivered))
            await self._top_up()
            return
        # No such consumer, no leader, or the server is shutting down: look again in a moment.
        self._missing = True

    async def _work(self, message: Msg) -> None:
        try:
            data = await self._payloads.fetch(message.headers or {}, message.data)
            await self._handle(_delivery(message, data))
        except Retry as retry:
            await self._settle(message, "nak", retry.delay_s)
        except Reject:
            await self._settle(message, "term")
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                # A message given back before this worker left would come straight back to it.
                await self._left.wait()
                await self._settle(message, "nak")
            raise
        except Exception as exc:
            level = logging.WARNING if isinstance(exc, PromptbusError) else logging.ERROR
            logger.log(level, "%s: %s", self._consumer.name, exc, exc_info=level > logging.WARNING)
            await self._settle(message, "nak", backoff_s(message.metadata.num_delivered))
        else:
            await self._settle(message, "ack")
        finally:
            del self._in_flight[message.reply]
            if not self._in_flight:
                self._idle.set()
        await self._top_up()

    async def _settle(self, message: Msg, how: str, delay_s: float | None = None) -> None:
        """Acknowledge in one of three ways; losing it only means another delivery."""
        action = f"ack-{self._consumer.name.partition('-')[0]}" if how == "ack" else how
        await self._connection.crash_points.before(action)
        try:
            match how:
                case "ack":
                    await message.ack()
                case "term":
                    await message.term()
                case _:
                    await message.nak(delay=delay_s)
        except NatsError as exc:
            logger.warning("%s: could not %s a message: %s", self._consumer.name, how, exc)
        await self._connection.crash_points.after(action)

    async def _keep_pulling(self) -> None:
        """Renew requests that fell silent, and remake a consumer that is gone."""
        while True:
            await anyio.sleep(1.0)
            if not self._connection.is_connected:
                continue
            silence_s = time.monotonic() - self._heard_s
            silent = self._requested > 0 and silence_s > MISSED_HEARTBEATS * self._heartbeat_s
            if not (self._missing or silent):
                continue
            self._missing = False
            self._heard_s = time.monotonic()
            try:
                await ensure_consumer(self._connection.jetstream, self._consumer)
                await self._pull_afresh()
            except (NatsError, TimeoutError, PromptbusError) as exc:
                self._missing = True
                logger.warning("%s cannot pull: %s", self._consumer.name, exc)

    async def _send_progress(self) -> None:
        pause_s = self._consumer.ack_wait_s / PROGRESS_PER_ACK_WAIT
        while True:
            await anyio.sleep(pause_s)
            now = time.monotonic()
            for message, since_s in tuple(self._in_flight.values()):
                if pause_s / 2 < now - since_s < WORK_CEILING_S:
                    try:
                        await message.in_progress()
                    except NatsError as exc:
                        logger.warning("%s: no in-progress: %s", self._consumer.name, exc)


def _delivery(message: Msg, data: bytes) -> Delivery:
    metadata = message.metadata
    return Delivery(
        subject=message.subject,
        headers=message.headers or {},
        data=data,
        num_delivered=metadata.num_delivered,
        stream_sequence=metadata.sequence.stream,
        stored_at_s=metadata.timestamp.timestamp(),
    )
