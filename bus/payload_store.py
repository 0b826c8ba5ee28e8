"""Payloads that are too large for one message, in a bucket of objects by their SHA-256."""

import base64
import hashlib
import logging
import time
from collections.abc import Mapping

import anyio
from nats.errors import Error as NatsError
from nats.js.errors import APIError, ObjectNotFoundError
from nats.js.object_store import ObjectStore

from bus.bucket import ObjectBucket
from bus.connection import Connection
from bus.topology import PAYLOADS_AGE_S, PAYLOADS_BUCKET, RUNS_AGE_S
from contracts.claim import CLAIM_HEADER, Claim, claimed_object
from contracts.errors import BusUnavailable, MessageTooLarge, QueueFull

logger = logging.getLogger(__name__)

# What no model writes and no prompt holds; a bus is no file server.
MAX_OBJECT_BYTES = 32 << 20
READ_S = 20.0
ATTEMPTS = 5
RETRY_PAUSE_S = 0.25
_FULL = frozenset({10077, 10047, 10122})


class PayloadStore:
    """Stores payloads and finds them again, for one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, payload: bytes, deadline_s: float) -> tuple[dict[str, str], bytes]:
        """Store ``payload``; the header and the bytes that travel in its place.

        Raises: MessageTooLarge above 32 MiB; QueueFull, BusUnavailable.
        """
        if len(payload) > MAX_OBJECT_BYTES:
            raise MessageTooLarge(
                size_bytes=len(payload), max_bytes=MAX_OBJECT_BYTES, what="payload"
            )
        digest = hashlib.sha256(payload).hexdigest()
        since_s = time.monotonic()
        while True:
            try:
                await self._put(digest, payload)
                break
            except APIError as exc:
                if exc.err_code in _FULL:
                    raise QueueFull(
                        f"the store of large payloads is full ({exc.description})",
                        cure="wait until older runs are dropped, or raise its limit",
                    ) from exc
                reason = exc.description or f"error {exc.err_code}"
            except (NatsError, TimeoutError) as exc:
                reason = str(exc) or type(exc).__name__
            if time.monotonic() - since_s >= deadline_s:
                raise BusUnavailable(f"a large payload was not stored: {reason}")
            await anyio.sleep(RETRY_PAUSE_S)
        claim = Claim(object_sha256=digest, size_bytes=len(payload))
        return {CLAIM_HEADER: digest}, claim.encode()

    async def fetch(self, headers: Mapping[str, str], data: bytes) -> bytes:
        """The payload of a message: ``data`` itself, or what it claims.

        What is claimed but is not there, or is something else, is left as it came, so that
        whoever decodes it says that it is none of ours.

        Raises: BusUnavailable.
        """
        digest = claimed_object(headers)
        if digest is None:
            return data
        reason = "no answer"
        for attempt in range(ATTEMPTS):
            await anyio.sleep(RETRY_PAUSE_S * attempt)
            try:
                with anyio.fail_after(READ_S):
                    found = await self._get(digest)
            except ObjectNotFoundError:
                logger.warning("payload %s is claimed and not there", digest)
                return data
            except (NatsError, TimeoutError) as exc:
                reason = str(exc) or type(exc).__name__
            else:
                return data if found is None else found
        raise BusUnavailable(f"a large payload cannot be read: {reason}")

    async def _put(self, digest: str, payload: bytes) -> None:
        """Store it, unless it lies there for longer than a journal may refer to it."""
        store = self._bucket()
        if not await self._is_fresh(digest):
            await store.put(digest, payload)

    async def _is_fresh(self, digest: str) -> bool:
        try:
            message = await self._connection.jetstream.get_last_msg(
                _STREAM, f"$O.{PAYLOADS_BUCKET}.M.{_meta_token(digest)}"
            )
        except APIError:
            return False
        stored_at = message.time
        return stored_at is not None and (
            time.time() - stored_at.timestamp() < (PAYLOADS_AGE_S - RUNS_AGE_S) / 2
        )

    async def _get(self, digest: str) -> bytes | None:
        store = self._bucket()
        info = await store.get_info(digest)
        if (info.size or 0) > MAX_OBJECT_BYTES:
            logger.warning("payload %s is larger than any of ours", digest)
            return None
        found = (await store.get(digest)).data or b""
        if hashlib.sha256(found).hexdigest() != digest:
            logger.warning("payload %s is not what its name says", digest)
            return None
        return found

    def _bucket(self) -> ObjectStore:
        return ObjectStore(PAYLOADS_BUCKET, _STREAM, self._connection.jetstream)


_STREAM = ObjectBucket(PAYLOADS_BUCKET, PAYLOADS_AGE_S, 0).stream


def _meta_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()
