"""How far a generation is: whether it waits, reads or writes, told by what it left on the bus."""

import logging

import anyio
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.server_clock import ServerClock
from bus.topology import TOKENS
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable
from contracts.run_stage import RunStage, stage_of

logger = logging.getLogger(__name__)

# A note is told again every two seconds for as long as it is true.
NOTE_HOLDS_S = 3.0
# Ending a run is not held up for the word that describes where it was.
READ_S = 0.5


class StageReader:
    """Tells the stage of a run from the step it is at."""

    def __init__(self, connection: Connection, clock: ServerClock) -> None:
        self._direct = DirectGet(connection, TOKENS)
        self._clock = clock

    async def read(self, run_id: str, step: str | None, *, is_taken: bool) -> RunStage:
        """The stage now; ``is_taken`` where somebody is known to work on the step."""
        actor, _, attempt = (step or "").partition("/")
        if actor != ActorKind.EXECUTOR:
            return stage_of(step)
        has_text, has_note = False, False
        with anyio.move_on_after(READ_S):
            try:
                has_text, has_note = await self._look(run_id, int(attempt))
            except (BusUnavailable, NatsError) as exc:
                logger.debug("stage of %s not known: %s", run_id, exc)
        return stage_of(step, waits=has_note or not is_taken, has_text=has_text)

    async def _look(self, run_id: str, attempt: int) -> tuple[bool, bool]:
        """Whether the attempt has text, and whether a note says that it waits."""
        has_text, has_note = False, False
        for message in await self._direct.read_last(
            subjects.waits(run_id), subjects.tokens(run_id, attempt)
        ):
            if message.subject == subjects.waits(run_id):
                has_note = await self._clock.age_s(message.stored_at) < NOTE_HOLDS_S
            else:
                has_text = True
        return has_text, has_note
