"""Token deltas of running generations, joinable at any time from the first token."""

import logging
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Self

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.topology import TOKENS
from contracts import subjects
from contracts.errors import InvalidInput
from contracts.generation import TextDelta

logger = logging.getLogger(__name__)

# Escaped in JSON a character takes up to twelve bytes; the bus carries half a mebibyte.
MAX_DELTA_CHARS = 32 * 1024

DeltaListener = Callable[[int, TextDelta], None]


class TokenWriter:
    """Publishes the deltas of one attempt, the first at once and later ones held together.

    Deltas are fire-and-forget: a lost one costs a picture, never the answer, because the whole
    text stands in the journal.
    """

    def __init__(self, connection: Connection, run_id: str, attempt: int) -> None:
        self._connection = connection
        self._subject = subjects.tokens(run_id, attempt)
        self._offset = 0

    async def write(self, text: str) -> None:
        """Publish the next piece."""
        for begin in range(0, len(text), MAX_DELTA_CHARS):
            piece = text[begin : begin + MAX_DELTA_CHARS]
            delta = TextDelta(offset=self._offset, text=piece)
            self._offset += len(piece)
            await self._connection.crash_points.before("publish-TextDelta")
            try:
                await self._connection.client.publish(self._subject, delta.encode())
            except NatsError as exc:
                logger.debug("lost a piece of %s: %s", self._subject, exc)
            await self._connection.crash_points.after("publish-TextDelta")


class TokenStreams:
    """One subscription per process to all token streams, handed to listeners by run."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._direct = DirectGet(connection, TOKENS)
        self._listeners: dict[str, list[DeltaListener]] = defaultdict(list)
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._subscription = await self._connection.client.subscribe(
            subjects.TOKENS_ALL, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._subscription is not None and not self._connection.client.is_closed:
            await self._subscription.unsubscribe()

    def listen(self, run_id: str, listener: DeltaListener) -> Callable[[], None]:
        """Call ``listener(attempt, delta)`` for every new delta; the return value ends that."""
        self._listeners[run_id].append(listener)
        return lambda: self._forget(run_id, listener)

    def _forget(self, run_id: str, listener: DeltaListener) -> None:
        self._listeners[run_id].remove(listener)
        if not self._listeners[run_id]:
            del self._listeners[run_id]

    async def earlier(self, run_id: str) -> list[tuple[int, TextDelta]]:
        """The deltas stored so far, in order."""
        stored = await self._direct.read_all(subjects.tokens_of_run(run_id))
        found = (_delta_or_none(message.subject, message.data) for message in stored)
        return [item for item in found if item is not None]

    async def _on_message(self, message: Msg) -> None:
        run_id = message.subject.split(".", 2)[1]
        listeners = self._listeners.get(run_id)
        if not listeners:
            return
        item = _delta_or_none(message.subject, message.data)
        if item is not None:
            for listener in tuple(listeners):
                listener(*item)


def parse_delta(subject: str, data: bytes) -> tuple[int, TextDelta]:
    """Attempt and delta of one message.

    Raises: InvalidInput, pydantic.ValidationError.
    """
    _, attempt = subjects.parse_tokens(subject)
    return attempt, TextDelta.model_validate_json(data)


def _delta_or_none(subject: str, data: bytes) -> tuple[int, TextDelta] | None:
    try:
        return parse_delta(subject, data)
    except (ValidationError, InvalidInput):
        return None  # Not ours; the subject is open to every client of the account.
