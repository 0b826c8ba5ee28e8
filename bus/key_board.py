"""The ``keys`` bucket: the API keys, the same for every process that serves the API.

One entry per key, on disk, as :class:`contracts.api_key.ApiKey` keeps it. A revoked key stays, so
that it can be told apart from one that never was.
"""

import logging
import time
from collections.abc import Mapping
from datetime import datetime

import anyio
from nats.errors import Error as NatsError
from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet, StoredMessage
from bus.publisher import EXPECT_SUBJECT_EMPTY, Publisher, WrongLastSequence
from bus.topology import KEYS_BUCKET
from contracts.api_key import ApiKey, key_id_of
from contracts.errors import BusUnavailable, InvalidInput

logger = logging.getLogger(__name__)

# Checks within this time share one reading, so a revocation is felt everywhere so much later.
FRESH_S = 1.0
NEWS_S = 0.1
ANSWER_S = 3.0

_PREFIX = f"$KV.{KEYS_BUCKET}."


class KeyBoard:
    """Reads and writes the keys for one process."""

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._connection = connection
        self._publisher = publisher
        self._direct = DirectGet(connection, f"KV_{KEYS_BUCKET}")
        self._lock = anyio.Lock()
        self._cached: Mapping[str, ApiKey] = {}
        self._read_s = float("-inf")

    async def read_all(self, *, max_age_s: float = FRESH_S) -> Mapping[str, ApiKey]:
        """All keys by their id, at most ``max_age_s`` old. Raises: BusUnavailable."""
        if self._is_older(max_age_s):
            async with self._lock:
                if self._is_older(max_age_s):
                    asked_s = time.monotonic()
                    found = [_key(message) for message in await self._read(f"{_PREFIX}>")]
                    self._cached = {key.key_id: key for key in found if key is not None}
                    self._read_s = asked_s
        return self._cached

    async def find(self, token: str, now: datetime) -> ApiKey | None:
        """The key that ``token`` is, where it is usable at ``now``. Raises: BusUnavailable."""
        key_id = key_id_of(token)
        if key_id is None:
            return None
        key = (await self.read_all()).get(key_id)
        if key is None:
            # It may be new; made-up ones must not cost the bus a reading each.
            key = (await self.read_all(max_age_s=NEWS_S)).get(key_id)
        return key if key is not None and key.matches(token) and key.is_usable(now) else None

    async def is_usable(self, key_id: str, now: datetime) -> bool:
        """Whether the key is still usable at ``now``. Raises: BusUnavailable."""
        key = (await self.read_all()).get(key_id)
        return key is not None and key.is_usable(now)

    async def add(self, key: ApiKey) -> None:
        """Store a new key. Raises: BusUnavailable, BusDenied, QueueFull."""
        await self._publisher.publish(_subject(key.key_id), key, headers=EXPECT_SUBJECT_EMPTY)
        self._read_s = float("-inf")

    async def revoke(self, key_id: str, now: datetime) -> ApiKey:
        """Make the key useless from now on; returns it as it is stored then.

        Raises: InvalidInput where there is no such key, BusUnavailable, BusDenied.
        """
        while True:
            stored = await self._read(_subject(key_id))
            key = _key(stored[0]) if stored else None
            if key is None:
                raise _unknown()
            if key.revoked_at is not None:
                return key
            revoked = key.model_copy(update={"revoked_at": now})
            expected = {"Nats-Expected-Last-Subject-Sequence": str(stored[0].sequence)}
            try:
                await self._publisher.publish(_subject(key_id), revoked, headers=expected)
            except WrongLastSequence:
                continue
            self._read_s = float("-inf")
            return revoked

    async def _read(self, subject: str) -> list[StoredMessage]:
        """Asked before each request of a client, so a bus that is away is not waited for."""
        reason = "NATS is away"
        if self._connection.is_connected:
            reason = f"no answer within {ANSWER_S:g} s"
            with anyio.move_on_after(ANSWER_S):
                try:
                    return await self._direct.read_all(subject)
                except NatsError as exc:
                    reason = type(exc).__name__
        raise BusUnavailable(f"the keys cannot be read: {reason}", cure="promptbus doctor")

    def _is_older(self, max_age_s: float) -> bool:
        return time.monotonic() - self._read_s > max_age_s


def _subject(key_id: str) -> str:
    if not key_id.isalnum():
        raise _unknown()
    return f"{_PREFIX}{key_id}"


def _unknown() -> InvalidInput:
    return InvalidInput(field="key_id", reason="no such key", cure="see: promptbus keys list")


def _key(message: StoredMessage) -> ApiKey | None:
    if not message.data:
        return None
    try:
        return ApiKey.model_validate_json(message.data)
    except ValidationError:
        logger.warning("ignored the key on %s: it is not one", message.subject)
        return None
