"""Why runs wait: notes on ``waits.<run_id>``, of which only the last is kept, for minutes."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

import anyio
from nats.errors import Error as NatsError
from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet, StoredMessage
from bus.run_subscription import RunSubscription
from bus.topology import TOKENS
from contracts import subjects
from contracts.errors import BusUnavailable, InvalidInput
from contracts.waiting import WaitNote, WaitReport

logger = logging.getLogger(__name__)

# A note is an ornament of a view: rather none than one that is waited for.
READ_S = 2.0
# The server drops the notes before; thousands of waiting runs would else push out texts.
_REPLACE_EARLIER: Final[Mapping[str, str]] = {"Nats-Rollup": "sub"}


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
        fields = {name: getattr(note, name) for name in WaitNote.model_fields}
        report = WaitReport(**fields, run_id=self._run_id, attempt=self._attempt)
        await self._connection.crash_points.before("publish-WaitReport")
        try:
            await self._connection.client.publish(
                subjects.waits(self._run_id), report.encode(), headers=dict(_REPLACE_EARLIER)
            )
        except NatsError as exc:
            logger.debug("lost a note on %s: %s", self._run_id, exc)
        await self._connection.crash_points.after("publish-WaitReport")


class WaitStreams(RunSubscription[WaitReport]):
    """All notes, by run."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, subjects.WAITS_ALL, _report_on)
        self._direct = DirectGet(connection, TOKENS)

    async def current(self, run_id: str) -> WaitReport | None:
        """The last note on that run; None where text of the same attempt came after it.

        None too where the bus does not answer in time.
        """
        last: list[StoredMessage] = []
        with anyio.move_on_after(READ_S):
            try:
                last = await self._direct.read_last(
                    subjects.waits(run_id), subjects.tokens_of_run(run_id)
                )
            except (BusUnavailable, NatsError) as exc:
                logger.debug("no note on %s: %s", run_id, exc)
        return _current(last)


def _current(last: Iterable[StoredMessage]) -> WaitReport | None:
    spoken: dict[str, int] = {}
    found: tuple[int, WaitReport] | None = None
    for message in last:
        kind, _, rest = message.subject.partition(".")
        if kind == "tokens":
            spoken[rest.rpartition(".")[2]] = message.sequence
        else:
            report = _report_or_none(rest, message.data)
            found = None if report is None else (message.sequence, report)
    if found is None or spoken.get(str(found[1].attempt), 0) > found[0]:
        return None
    return found[1]


def _report_on(subject: str, data: bytes) -> WaitReport | None:
    return _report_or_none(subject.partition(".")[2], data)


def _report_or_none(run_id: str, data: bytes) -> WaitReport | None:
    try:
        report = WaitReport.model_validate_json(data)
    except (ValidationError, InvalidInput):
        return None  # Not ours; the subject is open to every client of the account.
    return report if report.run_id == run_id else None
