"""The ``actors`` bucket: who is there, renewed by each actor before its entry expires."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import anyio
from nats.errors import Error as NatsError
from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.topology import ACTORS_BUCKET, PRESENCE_TTL_S
from contracts.actor_kind import ActorKind
from contracts.presence import HostReport, Presence
from contracts.subjects import encode_token

logger = logging.getLogger(__name__)

# Three announcements fit into the time to live, so that two may be lost.
ANNOUNCE_EVERY_S = PRESENCE_TTL_S / 3
# Reading costs a round trip; placement decisions within this time share one.
FRESH_S = 1.0

_PREFIX = f"$KV.{ACTORS_BUCKET}."


class PresenceBoard:
    """Reads and writes presence for one process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._direct = DirectGet(connection, f"KV_{ACTORS_BUCKET}")
        self._cached: tuple[Presence, ...] = ()
        self._read_s = float("-inf")

    async def announce(self, presence: Presence) -> None:
        """Write one entry; it lives for ``PRESENCE_TTL_S``."""
        await self._connection.client.publish(_subject(presence), presence.encode())

    async def withdraw(self, presence: Presence) -> None:
        """Remove the entry at once, as a process does that ends in order."""
        await self._connection.client.publish(
            _subject(presence), b"", headers={"KV-Operation": "DEL"}
        )

    async def keep_announcing(self, describe: Callable[[], Awaitable[Presence]]) -> None:
        """Announce what ``describe`` tells, again and again until cancelled; then withdraw."""
        presence = await describe()
        try:
            while True:
                try:
                    await self.announce(presence)
                except NatsError as exc:
                    logger.warning("could not announce %s: %s", presence.kind, exc)
                await anyio.sleep(ANNOUNCE_EVERY_S)
                presence = await describe()
        finally:
            with anyio.move_on_after(1, shield=True):
                if self._connection.is_connected:
                    await self.withdraw(presence)

    async def present(self, *, max_age_s: float = FRESH_S) -> Sequence[Presence]:
        """Everybody who is there, at most ``max_age_s`` old.

        Raises: BusUnavailable.
        """
        if time.monotonic() - self._read_s > max_age_s:
            self._cached = tuple(await self._read())
            self._read_s = time.monotonic()
        return self._cached

    async def hosts(self) -> Sequence[HostReport]:
        """The machines of all executors."""
        return [
            presence.report
            for presence in await self.present()
            if presence.kind is ActorKind.EXECUTOR and presence.report is not None
        ]

    async def _read(self) -> list[Presence]:
        found: dict[str, Presence] = {}
        for message in await self._direct.read_all(f"{_PREFIX}>"):
            if not message.data:
                found.pop(message.subject, None)
                continue
            try:
                found[message.subject] = Presence.model_validate_json(message.data)
            except ValidationError as exc:
                logger.warning("ignored presence on %s: %s", message.subject, exc)
        return list(found.values())


def _subject(presence: Presence) -> str:
    return f"{_PREFIX}{presence.kind}.{encode_token(presence.instance)}"
