"""Token deltas of running generations, joinable at any time from the first token."""

import logging
from dataclasses import dataclass

from nats.errors import Error as NatsError
from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.run_subscription import RunSubscription
from bus.topology import TOKENS
from contracts import subjects
from contracts.errors import InvalidInput
from contracts.generation import TextDelta

logger = logging.getLogger(__name__)

# Escaped in JSON a character takes up to twelve bytes; the bus carries half a mebibyte.
MAX_DELTA_CHARS = 32 * 1024


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text of one attempt."""

    attempt: int
    delta: TextDelta


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


class TokenStreams(RunSubscription[Token]):
    """All token streams, by run."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, subjects.TOKENS_ALL, _token_or_none)
        self._direct = DirectGet(connection, TOKENS)

    async def earlier(self, run_id: str) -> list[Token]:
        """The pieces stored so far, in order."""
        stored = await self._direct.read_all(subjects.tokens_of_run(run_id))
        found = (_token_or_none(message.subject, message.data) for message in stored)
        return [token for token in found if token is not None]


def parse_token(subject: str, data: bytes) -> Token:
    """The piece in one message.

    Raises: InvalidInput, pydantic.ValidationError.
    """
    _, attempt = subjects.parse_tokens(subject)
    return Token(attempt, TextDelta.model_validate_json(data))


def _token_or_none(subject: str, data: bytes) -> Token | None:
    try:
        return parse_token(subject, data)
    except (ValidationError, InvalidInput):
        return None  # Not ours; the subject is open to every client of the account.
