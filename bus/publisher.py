"""Publishing: with an id, CloudEvents headers, trace context, a size guard and patience."""

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import anyio
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, OutboundBufferLimitError
from nats.js.errors import APIError, NoStreamResponseError

from bus.connection import Connection
from bus.payload_store import PayloadStore
from bus.span_stream import SpanStream
from contracts.envelope import TRACEPARENT, Envelope, encode
from contracts.errors import BusDenied, BusUnavailable, QueueFull
from contracts.message import Message
from contracts.trace_context import traceparent_of

logger = logging.getLogger(__name__)

# One message above the server's limit would close the client for good, so ours is lower.
MAX_MESSAGE_BYTES = 512 * 1024
# A leader lost by kill -9 takes up to 14 s to be replaced; a publish outlasts that.
PUBLISH_DEADLINE_S = 30.0
# Short, because the same message is sent again under the same id.
ACK_TIMEOUT_S = 2.0
RETRY_PAUSE_S = 0.25

EXPECT_SUBJECT_EMPTY: Mapping[str, str] = {"Nats-Expected-Last-Subject-Sequence": "0"}

WRONG_LAST_SEQUENCE = 10071
WRITE_IN_FLIGHT = 10164
# The same message id is on its way already; a cluster says so until it is stored.
SAME_ID_IN_FLIGHT = 10158
_IN_FLIGHT = frozenset({WRITE_IN_FLIGHT, SAME_ID_IN_FLIGHT})
_FULL = frozenset({10077, 10047, 10122})


class WrongLastSequence(Exception):
    """The subject has a message already: somebody else was first."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where a message was stored; ``duplicate`` when the same id was stored before."""

    sequence: int
    duplicate: bool


class Publisher:
    """Publishes for one process: ``source`` is its name in every message, ``spans`` its spans."""

    def __init__(
        self, connection: Connection, source: str, spans: SpanStream | None = None
    ) -> None:
        self._connection = connection
        self.spans = spans or SpanStream(connection)
        self._payloads = PayloadStore(connection)
        self.source = source

    async def publish(
        self,
        subject: str,
        message: Message,
        *,
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float = PUBLISH_DEADLINE_S,
    ) -> Published:
        """Publish to a stream and wait until it is stored.

        A publish that times out is ambiguous, so it is repeated under the same message id until
        ``deadline_s`` has passed.

        Raises: MessageTooLarge, QueueFull, BusDenied, BusUnavailable; WrongLastSequence when the
        headers expected another one.
        """
        sent_headers, payload = self._encode(subject, message, message_id, headers)
        sent_headers, payload = await self._fit(sent_headers, payload, deadline_s)
        action = f"publish-{type(message).__name__}"
        await self._connection.crash_points.before(action)
        stored = await self._publish_until_stored(subject, payload, sent_headers, deadline_s)
        await self._connection.crash_points.after(action)
        return stored

    async def send(
        self,
        subject: str,
        message: Message,
        *,
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish without waiting: for what may be lost, because somebody asks again.

        Raises: MessageTooLarge; for what travels by claim, QueueFull and BusUnavailable.
        """
        sent_headers, payload = self._encode(subject, message, message_id, headers)
        sent_headers, payload = await self._fit(sent_headers, payload, PUBLISH_DEADLINE_S)
        action = f"publish-{type(message).__name__}"
        await self._connection.crash_points.before(action)
        try:
            await self._connection.client.publish(subject, payload, headers=sent_headers)
        except OutboundBufferLimitError as exc:
            logger.debug("not sent while the bus is away: %s", exc)
        await self._connection.crash_points.after(action)

    def _encode(
        self,
        subject: str,
        message: Message,
        message_id: str | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[dict[str, str], bytes]:
        carrier = dict(headers or {})
        if TRACEPARENT not in carrier:
            belongs_to = traceparent_of(message)
            if belongs_to is not None:
                carrier[TRACEPARENT] = belongs_to
        envelope = Envelope(
            message=message,
            message_id=message_id or secrets.token_hex(8),
            source=self.source,
            subject=subject,
            headers=carrier,
        )
        return encode(envelope)

    async def _fit(
        self, headers: dict[str, str], payload: bytes, deadline_s: float
    ) -> tuple[dict[str, str], bytes]:
        """What is too large for one message is stored apart, and a claim travels in its place."""
        size = len(payload) + sum(len(key) + len(value) + 4 for key, value in headers.items())
        if size <= MAX_MESSAGE_BYTES:
            return headers, payload
        claim, payload = await self._payloads.put(payload, deadline_s)
        return {**headers, **claim}, payload

    async def _publish_until_stored(
        self, subject: str, payload: bytes, headers: dict[str, str], deadline_s: float
    ) -> Published:
        started = time.monotonic()
        while True:
            try:
                ack = await self._connection.jetstream.publish(
                    subject, payload, timeout=min(ACK_TIMEOUT_S, deadline_s), headers=headers
                )
                return Published(ack.seq, bool(ack.duplicate))
            except APIError as exc:
                reason = _classify(exc)
            except (
                NoStreamResponseError,
                NoRespondersError,
                OutboundBufferLimitError,
                NatsError,
                TimeoutError,
            ) as exc:
                reason = str(exc) or type(exc).__name__
            if self._connection.denied(subject, started):
                raise BusDenied(subject)
            if self._connection.closed.is_set() or time.monotonic() - started >= deadline_s:
                raise BusUnavailable(
                    f"not stored within {deadline_s:g} s: {reason}",
                    cure="check the NATS server: promptbus doctor",
                )
            await anyio.sleep(RETRY_PAUSE_S)


def _classify(exc: APIError) -> str:
    """Why a publish was refused, if it is worth repeating; raises where it is not."""
    if exc.err_code == WRONG_LAST_SEQUENCE:
        raise WrongLastSequence from exc
    if exc.err_code in _FULL:
        raise QueueFull(
            f"the queue is full ({exc.description})", cure="wait, or raise the stream's limit"
        ) from exc
    if exc.err_code not in _IN_FLIGHT and not _is_server_fault(exc):
        raise exc
    return exc.description or f"error {exc.err_code}"


def _is_server_fault(exc: APIError) -> bool:
    return exc.code is None or exc.code >= HTTPStatus.INTERNAL_SERVER_ERROR
