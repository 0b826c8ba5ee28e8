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
        await self._connection.crash_points.before("publish-Presence")
        await self._connection.client.publish(_subject(presence), presence.encode())
        await self._connection.crash_points.after("publish-Presence")

    async def withdraw(self, presence: Presence) -> None:
        """Remove the entry at once, as a process does that ends in order."""
        await self._connection.client.publish(
            _subject(presence), b"", headers={"KV-Operation": "DEL"}
        )

    async def keep_announcing(
        self, describe: Callable[[], Awaitable[Presence]], *, look_every_s: float | None = None
    ) -> None:
        """Announce what ``describe`` tells, again and again until cancelled; then withdraw.

        With ``look_every_s`` it is asked that often, and news of a model is announced at once; so
        is everything after a reconnect, because the board lives in the server's memory.
        """
        presence = await describe()

        async def announce_again() -> None:
            await self.announce(presence)

        forget = self._connection.on_reconnect(announce_again)
        try:
            while True:
                try:
                    await self.announce(presence)
                except NatsError as exc:
                    logger.warning("could not announce %s: %s", presence.kind, exc)
                presence = await _next(describe, presence, look_every_s)
        finally:
            forget()
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

    async def hosts(self, *, max_age_s: float = FRESH_S) -> Sequence[HostReport]:
        """The machines of all executors, at most ``max_age_s`` old.

        An executor that fell is seen for a while beside its successor; the younger one counts.
        """
        executors = [
            one for one in await self.present(max_age_s=max_age_s) if one.kind is ActorKind.EXECUTOR
        ]
        executors.sort(key=lambda presence: presence.started_at)
        found = {one.report.host: one.report for one in executors if one.report is not None}
        return tuple(found.values())

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


async def _next(
    describe: Callable[[], Awaitable[Presence]], last: Presence, look_every_s: float | None
) -> Presence:
    """What to announce next, when it is time to or a model has changed."""
    if look_every_s is None:
        await anyio.sleep(ANNOUNCE_EVERY_S)
        return await describe()
    due_s = time.monotonic() + ANNOUNCE_EVERY_S
    while True:
        await anyio.sleep(look_every_s)
        presence = await describe()
        if time.monotonic() >= due_s or _models(presence) != _models(last):
            return presence


def _models(presence: Presence) -> list[tuple[object, ...]]:
    """What others decide by and should know at once."""
    models = presence.report.models if presence.report is not None else ()
    return [
        (model.model, model.resident, model.resident_strategy, model.loading is None, model.slots)
        for model in models
    ]


def _subject(presence: Presence) -> str:
    return f"{_PREFIX}{presence.kind}.{encode_token(presence.instance)}"
