"""Reads what lies around a run that has no outcome, and says where it stands."""

import logging
from collections import Counter
from collections.abc import Sequence

import anyio
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from bus.connection import Connection
from bus.placement_board import PlacementBoard
from bus.presence_board import PresenceBoard
from bus.prompt_queue import PromptQueue
from bus.publisher import Publisher
from bus.server_clock import ServerClock
from bus.topology import PROMPTS, TASKS
from bus.wait_facts import WaitFacts
from contracts.actor_kind import ActorKind
from contracts.errors import PromptbusError
from contracts.event import RunStarted
from contracts.journal_entry import JournalEntry
from contracts.placement import HostPlacement
from contracts.prompt import Priority
from contracts.standing import NextStep, Surroundings, describe_standing, next_steps
from contracts.wait_reason import QueueState
from contracts.waiting import WaitNote

logger = logging.getLogger(__name__)

# A sentence is not waited for longer than this; the run is shown without it then.
READ_S = 2.0


class Standings:
    """Says where runs stand; it needs no coordinator, only the bus."""

    def __init__(self, connection: Connection, publisher: Publisher, board: PresenceBoard) -> None:
        self._connection = connection
        self._board = board
        self._placements = PlacementBoard(connection, publisher)
        self._facts = WaitFacts(connection, board.hosts, self._read_placements)
        self._prompts = PromptQueue(connection)
        self._clock = ServerClock(connection)

    async def describe(
        self, run_id: str, journal: Sequence[JournalEntry], note: WaitNote | None
    ) -> str | None:
        """The sentence about a run without outcome; None where the bus does not tell in time."""
        try:
            with anyio.move_on_after(READ_S):
                return await self._describe(run_id, journal, note)
        except (PromptbusError, NatsError, TimeoutError) as exc:
            logger.debug("standing of %s not known: %s", run_id, exc or type(exc).__name__)
        return None

    async def _describe(
        self, run_id: str, journal: Sequence[JournalEntry], note: WaitNote | None
    ) -> str:
        turn = next_steps(journal)[0]
        facts = {}
        if turn.actor in {ActorKind.EXECUTOR, ActorKind.MONITOR}:
            facts = await self._facts.read([turn.model])
        around = Surroundings(
            num_present=Counter(one.kind for one in await self._board.present()),
            is_queued=await self._prompts.holds(run_id),
            queue=await self._queue(turn, journal),
            note=note,
            model=facts.get(turn.model),
        )
        age_s = None
        if journal:
            age_s = await self._clock.age_s(max(entry.stored_at for entry in journal))
        return describe_standing(journal, age_s, around)

    async def _queue(self, turn: NextStep, journal: Sequence[JournalEntry]) -> QueueState:
        """The queue in which the next step waits; generations have facts of their own."""
        if turn.actor is ActorKind.EXECUTOR:
            return QueueState()
        stream, name = TASKS, str(turn.actor)
        if turn.actor is ActorKind.COORDINATOR:
            begun = [one.event for one in journal if isinstance(one.event, RunStarted)]
            priority = begun[0].priority if begun else Priority.NORMAL
            stream, name = PROMPTS, f"coordinator-{priority}"
        try:
            info = await self._connection.jetstream.consumer_info(stream, name)
        except NotFoundError:
            return QueueState()
        return QueueState(num_pending=info.num_pending or 0, num_taken=info.num_ack_pending or 0)

    async def _read_placements(self) -> list[HostPlacement]:
        return [placed.placement for placed in (await self._placements.read_all()).values()]
