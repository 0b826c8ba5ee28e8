"""Whether a prompt sent now would be answered, and what is missing where not."""

import logging
from collections import Counter
from typing import Literal

import anyio
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.presence_board import PresenceBoard
from bus.room import Room
from bus.topology import PROMPTS, RUNS, TASKS
from bus.write_probe import probe_write
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable, PromptbusError
from contracts.message import Message
from contracts.stream_usage import alarms

logger = logging.getLogger(__name__)

NATS = "nats"
STREAMS = (PROMPTS, TASKS, RUNS)


class Part(Message):
    """One thing a run needs; ``num_present`` counts the processes of an actor."""

    name: str
    ready: bool
    num_present: int | None = None
    detail: str | None = None


class HealthResponse(Message):
    """What ``GET /health`` answers.

    ``missing`` names the parts that are not ready, ``warnings`` say what will soon be one of them.
    """

    status: Literal["ready", "not_ready"]
    version: str
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


class Readiness:
    """Looks at the connection and the presence board, and writes to the streams."""

    def __init__(
        self, connection: Connection, board: PresenceBoard, *, version: str, timeout_s: float
    ) -> None:
        self._connection = connection
        self._board = board
        self._version = version
        self._timeout_s = timeout_s
        self._room = Room(connection)

    async def check(self) -> HealthResponse:
        """The state of every part, at most ``timeout_s`` for each of streams and board."""
        parts: list[Part] = []
        warnings: list[str] = []
        if self._connection.is_connected:
            async with anyio.create_task_group() as tasks:
                for stream in STREAMS:
                    tasks.start_soon(self._add_stream, parts, stream)
                tasks.start_soon(self._add_actors, parts)
                tasks.start_soon(self._add_warnings, warnings)
        # A connection that broke is often noticed only by the questions just asked.
        parts.append(Part(name=NATS, ready=self._connection.is_connected))
        parts.sort(key=_order)
        missing = tuple(part.name for part in parts if not part.ready)
        return HealthResponse(
            status="not_ready" if missing else "ready",
            version=self._version,
            missing=missing,
            warnings=tuple(warnings),
            parts=tuple(parts),
        )

    async def _add_warnings(self, warnings: list[str]) -> None:
        with anyio.move_on_after(self._timeout_s):
            try:
                warnings += [one.describe() for one in alarms(await self._room.read())]
            except BusUnavailable as exc:
                # The parts say it already.
                logger.debug("%s", exc)

    async def _add_stream(self, parts: list[Part], stream: str) -> None:
        detail: str | None = None
        try:
            await probe_write(self._connection, stream, timeout_s=self._timeout_s)
        except BusUnavailable as exc:
            detail = str(exc)
        parts.append(Part(name=stream, ready=detail is None, detail=detail))

    async def _add_actors(self, parts: list[Part]) -> None:
        detail: str | None = f"no answer within {self._timeout_s:g} s"
        present: Counter[ActorKind] = Counter()
        with anyio.move_on_after(self._timeout_s):
            try:
                present = Counter(presence.kind for presence in await self._board.present())
                detail = None
            except (PromptbusError, NatsError) as exc:
                detail = type(exc).__name__
        for kind in ActorKind:
            count = present[kind]
            parts.append(Part(name=kind, ready=count > 0, num_present=count, detail=detail))


_ORDER = (NATS, *STREAMS, *ActorKind)


def _order(part: Part) -> int:
    return _ORDER.index(part.name)
