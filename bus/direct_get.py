"""Reading many messages of a stream in one round trip (ADR-31 batched direct get)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

import anyio
from nats.aio.msg import Msg

from bus.connection import Connection
from bus.payload_store import PayloadStore
from contracts.claim import claimed_object
from contracts.errors import BusUnavailable

BATCH = 512
# The server never answers more than this many bytes per request by default.
MAX_BYTES = 8 * 1024 * 1024
ATTEMPTS = 6
ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it lies in a stream."""

    subject: str
    sequence: int
    stored_at: datetime
    headers: Mapping[str, str]
    data: bytes


class DirectGet:
    """Batched reads of one stream."""

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._payloads = PayloadStore(connection)
        self._stream = stream

    async def read(
        self, subject: str, *, from_sequence: int = 1, limit: int = BATCH
    ) -> list[StoredMessage]:
        """Up to ``limit`` messages on ``subject`` (wildcards allowed) in stream order.

        Raises: BusUnavailable when no server answers.
        """
        request = {"batch": limit, "next_by_subj": subject, "seq": max(1, from_sequence)}
        for attempt in range(ATTEMPTS):
            answer = await self._ask(request | {"max_bytes": MAX_BYTES})
            if answer is not None:
                return await self._whole(answer)
            await anyio.sleep(0.1 * (attempt + 1))
        raise BusUnavailable(
            f"stream {self._stream} does not answer", cure="check NATS: promptbus doctor"
        )

    async def read_all(self, subject: str, *, from_sequence: int = 1) -> list[StoredMessage]:
        """Every message on ``subject``, however many requests that takes."""
        found: list[StoredMessage] = []
        while True:
            batch = await self.read(subject, from_sequence=from_sequence)
            found += batch
            if not batch:
                return found
            from_sequence = batch[-1].sequence + 1
            if len(batch) < BATCH and sum(len(message.data) for message in batch) < MAX_BYTES // 2:
                return found

    async def read_last(self, *wanted: str) -> list[StoredMessage]:
        """The last message on each subject that ``wanted`` (wildcards allowed) name.

        Raises: BusUnavailable when no server answers.
        """
        answer = await self._ask({"multi_last": list(wanted), "batch": BATCH})
        if answer is None:
            raise BusUnavailable(f"stream {self._stream} does not answer")
        return await self._whole(answer)

    async def read_until_found(self, subject: str) -> StoredMessage:
        """The last message on ``subject``, which is known to be there; a replica may lag behind.

        Raises: BusUnavailable when it cannot be read.
        """
        for attempt in range(ATTEMPTS):
            found = await self.read_last(subject)
            if found:
                return found[0]
            await anyio.sleep(0.1 * (attempt + 1))
        raise BusUnavailable(f"stream {self._stream} holds {subject}, but does not show it")

    async def _whole(self, messages: list[StoredMessage]) -> list[StoredMessage]:
        """The messages with the payloads that some of them only claim."""
        return [
            replace(one, data=await self._payloads.fetch(one.headers, one.data))
            if claimed_object(one.headers)
            else one
            for one in messages
        ]

    async def _ask(self, request: dict[str, Any]) -> list[StoredMessage] | None:
        """One request; None when the answer broke off or nobody answered."""
        client = self._connection.client
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox)
        try:
            await client.publish(
                f"$JS.API.DIRECT.GET.{self._stream}", json.dumps(request).encode(), reply=inbox
            )
            found: list[StoredMessage] = []
            with anyio.move_on_after(ANSWER_TIMEOUT_S):
                while True:
                    message = await subscription.next_msg(timeout=None)
                    headers = message.headers or {}
                    # A stored message may carry a header "Status" of its own.
                    if _SEQUENCE in headers:
                        found.append(stored_message(message))
                    elif headers.get("Status") in _END:
                        return found
                    else:
                        return None
            return None
        finally:
            await subscription.unsubscribe()


_SEQUENCE = "Nats-Sequence"
_END = frozenset({str(HTTPStatus.NO_CONTENT.value), str(HTTPStatus.NOT_FOUND.value)})


def stored_message(message: Msg) -> StoredMessage:
    """A direct-get answer as a stored message."""
    headers = message.headers or {}
    return StoredMessage(
        subject=headers["Nats-Subject"],
        sequence=int(headers[_SEQUENCE]),
        stored_at=parse_time(headers["Nats-Time-Stamp"]),
        headers=headers,
        data=message.data,
    )


def parse_time(text: str) -> datetime:
    """An RFC 3339 time of the server; its nanoseconds are cut to microseconds."""
    head, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{(fraction or '0')[:6]:0<6}+00:00")
