"""Ends runs that wait in their queue, without waiting for a coordinator to take them."""

import time

from nats.errors import Error as NatsError
from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.journal import Journal
from bus.topology import PROMPTS
from contracts import subjects
from contracts.errors import InvalidInput
from contracts.event import RunCancelled, RunStarted
from contracts.prompt import SubmitPrompt
from contracts.run_stage import RunStage
from contracts.run_started import make_run_started


class QueuedRuns:
    """Runs that nobody leads yet, as far as they were submitted under their run ids."""

    def __init__(self, connection: Connection, journal: Journal) -> None:
        self._direct = DirectGet(connection, PROMPTS)
        self._journal = journal

    async def cancel(self, run_id: str, reason: str) -> bool:
        """Give the run its outcome if nobody leads it; whether it was so.

        Whoever writes the first event leads the run. Where that is this call, a coordinator that
        takes the prompt later finds the outcome and only takes it off the queue.

        Raises: BusUnavailable, BusDenied, QueueFull.
        """
        since_s = time.monotonic()
        started = await self._find(run_id)
        if started is None:
            return False
        written = await self._journal.write(subjects.run_event(run_id, subjects.STARTED), started)
        if not written.mine:
            return False
        cancelled = RunCancelled(
            run_id=run_id,
            stage=RunStage.QUEUED,
            cancel_ms=round((time.monotonic() - since_s) * 1000, 3),
            reason=reason,
        )
        await self._journal.write(subjects.run_event(run_id, subjects.OUTCOME), cancelled)
        return True

    async def _find(self, run_id: str) -> RunStarted | None:
        """The first event of the run that this prompt would become."""
        try:
            for message in await self._direct.read_last(subjects.prompt_of_run(run_id)):
                submitted = SubmitPrompt.model_validate_json(message.data)
                priority = subjects.parse_prompts(message.subject)
                return make_run_started(
                    run_id, submitted, priority, message.headers, message.stored_at
                )
        except (ValidationError, InvalidInput, NatsError):
            # A coordinator will say what is wrong with it.
            return None
        return None
