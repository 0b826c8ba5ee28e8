"""Why runs wait: notes on ``waits.<run_id>``, kept in memory for minutes."""

import logging

from nats.errors import Error as NatsError

from bus.connection import Connection
from contracts import subjects
from contracts.waiting import WaitNote, WaitReport

logger = logging.getLogger(__name__)


class WaitWriter:
    """Publishes what one attempt of a run waits for.

    Notes are fire-and-forget: each replaces the one before, and none decides anything.
    """

    def __init__(self, connection: Connection, run_id: str, attempt: int) -> None:
        self._connection = connection
        self._run_id = run_id
        self._attempt = attempt

    async def write(self, note: WaitNote) -> None:
        """Publish the next note."""
        report = WaitReport(run_id=self._run_id, attempt=self._attempt, **dict(note))
        try:
            await self._connection.client.publish(subjects.waits(self._run_id), report.encode())
        except NatsError as exc:
            logger.debug("lost a note on %s: %s", self._run_id, exc)
