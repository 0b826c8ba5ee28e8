"""What the bus holds: its streams, and the queues in them."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar

import anyio
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo, StorageType, StreamInfo
from nats.js.errors import NotFoundError

from bus.connection import Connection
from bus.topology import DEAD, PROMPTS, TASKS
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable
from contracts.message import Message

ResultT = TypeVar("ResultT")


class StreamReport(Message):
    """One stream; sizes in bytes, ages in seconds (0: kept for ever), limits below 0 are none."""

    name: str
    subjects: tuple[str, ...]
    storage: str
    num_messages: int
    size_bytes: int
    max_bytes: int
    max_age_s: float
    first_sequence: int
    last_sequence: int
    num_consumers: int
    num_replicas: int
    created_at: datetime | None = None


class QueueReport(Message):
    """One queue: what waits in it, what was taken from it and is worked on, and who pulls."""

    stream: str
    name: str
    subjects: tuple[str, ...]
    num_waiting: int
    num_taken: int
    num_redelivered: int
    num_pulling: int


class BusReport:
    """Reads what the server tells of streams and consumers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def streams(self) -> tuple[StreamReport, ...]:
        """All streams, the buckets among them, by name. Raises: BusUnavailable."""
        found = await _answered(self._connection.jetstream.streams_info())
        return tuple(sorted(map(stream_report, found), key=lambda stream: stream.name))

    async def queues(self) -> tuple[QueueReport, ...]:
        """The queues of prompts and tasks, by name. Raises: BusUnavailable."""
        found: list[QueueReport] = []
        for stream in (PROMPTS, TASKS):
            consumers = await self._consumers(stream)
            found += sorted(map(queue_report, consumers), key=lambda queue: queue.name)
        return tuple(found)

    async def dead_letters(self) -> dict[str, int]:
        """How many dead letters are kept, by the kind of actor. Raises: BusUnavailable."""
        info = await _answered(
            self._connection.jetstream.stream_info(DEAD, subjects_filter=subjects.DEAD_ALL)
        )
        counts = info.state.subjects or {}
        return {str(kind): counts.get(subjects.dead(kind), 0) for kind in ActorKind}

    async def _consumers(self, stream: str) -> list[ConsumerInfo]:
        found: list[ConsumerInfo] = []
        while True:
            page = await _answered(
                self._connection.jetstream.consumers_info(stream, offset=len(found))
            )
            if not page:
                return found
            found += page


async def _answered(question: Awaitable[ResultT]) -> ResultT:
    try:
        return await question
    except (NatsError, NotFoundError, TimeoutError, anyio.ClosedResourceError) as exc:
        raise BusUnavailable(
            f"JetStream does not tell: {exc or type(exc).__name__}",
            cure="check NATS: promptbus doctor",
        ) from exc


def stream_report(info: StreamInfo) -> StreamReport:
    """What is told of one stream; pure."""
    config, state = info.config, info.state
    return StreamReport(
        name=config.name or "",
        subjects=tuple(config.subjects or ()),
        storage=StorageType(config.storage).value if config.storage else "",
        num_messages=state.messages,
        size_bytes=state.bytes,
        max_bytes=config.max_bytes if config.max_bytes is not None else -1,
        max_age_s=config.max_age or 0.0,
        first_sequence=state.first_seq,
        last_sequence=state.last_seq,
        num_consumers=state.consumer_count,
        num_replicas=config.num_replicas or 1,
        created_at=info.created,
    )


def queue_report(info: ConsumerInfo) -> QueueReport:
    """What is told of one durable consumer; pure."""
    config = info.config
    only = (config.filter_subject,) if config.filter_subject else ()
    return QueueReport(
        stream=info.stream_name,
        name=info.name,
        subjects=tuple(config.filter_subjects or only),
        num_waiting=info.num_pending or 0,
        num_taken=info.num_ack_pending or 0,
        num_redelivered=info.num_redelivered or 0,
        num_pulling=info.num_waiting or 0,
    )
