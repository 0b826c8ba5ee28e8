"""The journals: reading a run's events, and writing each exactly once."""

import base64
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import anyio
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.direct_get import DirectGet, StoredMessage, parse_time
from bus.payload_store import PayloadStore
from bus.publisher import EXPECT_SUBJECT_EMPTY, Publisher, WrongLastSequence
from bus.topology import RUNS
from contracts import subjects
from contracts.envelope import CE_ID, CE_SOURCE, decode_event
from contracts.errors import BusUnavailable, InvalidInput, MalformedMessage
from contracts.event import Event
from contracts.journal_entry import JournalEntry, belongs

logger = logging.getLogger(__name__)

READ_BACK_ATTEMPTS = 10
READ_BACK_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Written:
    """The event that stands in the journal: ours if we were first, else the winner's."""

    event: Event
    sequence: int
    mine: bool


class Journal:
    """All journals, for one process.

    ``first_writer_wins`` is what makes it one: without it every write is stored, which shows what
    the rule is for.
    """

    def __init__(
        self, connection: Connection, publisher: Publisher, *, first_writer_wins: bool = True
    ) -> None:
        self._connection = connection
        self._condition = EXPECT_SUBJECT_EMPTY if first_writer_wins else {}
        self._publisher = publisher
        self._direct = DirectGet(connection, RUNS)
        self._payloads = PayloadStore(connection)

    async def read(self, run_id: str) -> list[JournalEntry]:
        """The events of one run in order; empty where there are none.

        What others wrote among them is passed over: anybody in the account may publish there.

        Raises: InvalidInput for a malformed run id, BusUnavailable.
        """
        stored = await self._direct.read_all(subjects.run_journal(run_id))
        found = (entry_or_none(message) for message in stored)
        return [entry for entry in found if entry is not None]

    async def read_one(self, subject: str) -> JournalEntry | None:
        """The event on ``subject`` as the stream's leader knows it, or None.

        Raises: BusUnavailable; MalformedMessage when something else stands there.
        """
        for attempt in range(READ_BACK_ATTEMPTS):
            await anyio.sleep(READ_BACK_PAUSE_S * attempt)
            try:
                answer = await self._connection.client.request(
                    f"$JS.API.STREAM.MSG.GET.{RUNS}",
                    json.dumps({"last_by_subj": subject}).encode(),
                    timeout=3,
                )
            except (NatsError, TimeoutError):
                continue
            found = _message_from_api(json.loads(answer.data))
            if found is None:
                return None
            data = await self._payloads.fetch(found.headers, found.data)
            return entry_of(replace(found, data=data))
        raise BusUnavailable("RUNS has no leader", cure="check NATS: promptbus doctor")

    async def write(
        self, subject: str, event: Event, *, headers: Mapping[str, str] | None = None
    ) -> Written:
        """Write ``event`` on ``subject`` unless an event is there already.

        First writer wins: the loser gets the winner's event and adopts it. A conflict with our
        own earlier try, whose acknowledgement was lost, is told by the nonce in ``ce-id``.

        Raises: BusUnavailable, BusDenied, QueueFull, MessageTooLarge; MalformedMessage when the
        subject is taken by something that is no event.
        """
        nonce = secrets.token_hex(8)
        sent = {**(headers or {}), **self._condition}
        try:
            published = await self._publisher.publish(
                subject, event, message_id=nonce, headers=sent
            )
            return Written(event, published.sequence, mine=True)
        except WrongLastSequence:
            entry = await self._read_winner(subject)
            return Written(entry.event, entry.sequence, mine=entry.nonce == nonce)

    async def _read_winner(self, subject: str) -> JournalEntry:
        for attempt in range(READ_BACK_ATTEMPTS):
            await anyio.sleep(READ_BACK_PAUSE_S * attempt)
            entry = await self.read_one(subject)
            if entry is not None:
                return entry
        raise BusUnavailable(f"{subject} was taken, but its event cannot be read")


def entry_of(message: StoredMessage) -> JournalEntry:
    """A stored message as a line of a journal.

    Raises: MalformedMessage when it is not one of ours.
    """
    return make_entry(
        message.subject, message.headers, message.data, message.sequence, message.stored_at
    )


def entry_or_none(message: StoredMessage) -> JournalEntry | None:
    """A stored message as a line of a journal; None, and a warning, when it is not one of ours."""
    try:
        return entry_of(message)
    except (MalformedMessage, InvalidInput) as exc:
        logger.warning("passed over a foreign message in RUNS: %s", exc)
        return None


def make_entry(
    subject: str, headers: Mapping[str, str], data: bytes, sequence: int, stored_at: datetime
) -> JournalEntry:
    """A line of a journal from its parts.

    Raises: MalformedMessage, InvalidInput.
    """
    place = subjects.parse_run(subject)
    event = decode_event(subject, headers, data)
    if not belongs(event, place):
        raise MalformedMessage(subject=subject, reason=f"no place for this {type(event).__name__}")
    return JournalEntry(
        subject=place,
        event=event,
        sequence=sequence,
        stored_at=stored_at,
        writer=headers.get(CE_SOURCE, ""),
        nonce=headers.get(CE_ID, ""),
    )


def _message_from_api(answer: Mapping[str, Any]) -> StoredMessage | None:
    match answer:
        case {"message": {"subject": str(subject), "seq": int(sequence), "time": str(time)} as raw}:
            return StoredMessage(
                subject=subject,
                sequence=sequence,
                stored_at=parse_time(time),
                headers=_parse_headers(base64.b64decode(str(raw.get("hdrs", "")))),
                data=base64.b64decode(str(raw.get("data", ""))),
            )
        case {"error": {"err_code": 10037 | 10059}}:
            return None
        case {"error": {"description": str(reason)}}:
            raise BusUnavailable(f"RUNS cannot be read: {reason}")
    raise MalformedMessage(subject=RUNS, reason="unexpected answer of the JetStream API")


def _parse_headers(raw: bytes) -> dict[str, str]:
    lines = raw.decode(errors="replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {key: value.strip() for key, _, value in pairs}
