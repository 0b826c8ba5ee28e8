"""The ``placements`` bucket: what each host shall serve, decided under compare-and-set.

One key per host. A writer names the revision its decision rests on, so that of any number of
monitors that decide at once only one changes a host; the others read again and decide anew.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet, StoredMessage
from bus.publisher import Publisher, WrongLastSequence
from bus.topology import PLACEMENTS_BUCKET
from contracts.errors import BusUnavailable
from contracts.placement import HostPlacement
from contracts.subjects import encode_token

logger = logging.getLogger(__name__)

# Decisions within this time share one reading.
FRESH_S = 1.0
# Revision of a key that nobody has written.
ABSENT = 0

_STREAM = f"KV_{PLACEMENTS_BUCKET}"
_PREFIX = f"$KV.{PLACEMENTS_BUCKET}."


@dataclass(frozen=True, slots=True)
class Placed:
    """A host's placement as it stands, and the revision to name when changing it."""

    placement: HostPlacement
    revision: int


class PlacementBoard:
    """Reads and decides placements for one process."""

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._connection = connection
        self._publisher = publisher
        self._direct = DirectGet(connection, _STREAM)
        self._cached: Mapping[str, Placed] = {}
        self._read_s = float("-inf")
        self._num_changes = 0

    async def read_all(self, *, max_age_s: float = FRESH_S) -> Mapping[str, Placed]:
        """The placements of all hosts by host, at most ``max_age_s`` old.

        Raises: BusUnavailable.
        """
        if time.monotonic() - self._read_s > max_age_s:
            num_changes = self._num_changes
            found = [_placed(message) for message in await self._direct.read_all(f"{_PREFIX}>")]
            self._cached = {placed.placement.host: placed for placed in found if placed}
            # What was read while this process decided anew may be older than its decision.
            if num_changes == self._num_changes:
                self._read_s = time.monotonic()
        return self._cached

    async def read_one(self, host: str) -> Placed | None:
        """The placement of ``host`` now; None where nobody has decided one.

        Raises: BusUnavailable.
        """
        for message in await self._direct.read_all(_subject(host)):
            return _placed(message)
        return None

    async def decide(self, host: str, new: HostPlacement, expected_revision: int) -> bool:
        """Make ``new`` the placement of ``host``; False when it has changed since.

        ``expected_revision`` is that of the placement the decision rests on, ``ABSENT`` for none.

        Raises: BusUnavailable, BusDenied, QueueFull.
        """
        expected = {"Nats-Expected-Last-Subject-Sequence": str(expected_revision)}
        try:
            await self._publisher.publish(_subject(host), new, headers=expected)
        except WrongLastSequence:
            return False
        finally:
            self._expire()
        return True

    async def forget(self, host: str, revision: int) -> None:
        """Remove the placement of a host that is gone, unless it was written again since.

        Raises: BusUnavailable.
        """
        try:
            await self._connection.jetstream.purge_stream(
                _STREAM, seq=revision + 1, subject=_subject(host)
            )
        except (APIError, NatsError, TimeoutError) as exc:
            raise BusUnavailable(f"the placement of {host} cannot be removed: {exc}") from exc
        finally:
            self._expire()

    async def on_change(
        self, host: str, callback: Callable[[], None]
    ) -> Callable[[], Awaitable[None]]:
        """Call ``callback`` when somebody may have decided anew for ``host``.

        A hint only: it comes before the decision stands, and may be lost. Returns what ends it.
        """

        async def hear(_: Msg) -> None:
            callback()

        subscription = await self._connection.client.subscribe(_subject(host), cb=hear)
        return subscription.unsubscribe

    def _expire(self) -> None:
        self._num_changes += 1
        self._read_s = float("-inf")


def _subject(host: str) -> str:
    return f"{_PREFIX}{encode_token(host)}"


def _placed(message: StoredMessage) -> Placed | None:
    if not message.data:
        return None
    try:
        return Placed(HostPlacement.model_validate_json(message.data), message.sequence)
    except ValidationError as exc:
        logger.warning("ignored the placement on %s: %s", message.subject, exc)
        return None
