"""How often work on a task or a run was begun and not brought to an end, kept beside the queues.

The server counts deliveries, but not why there was another. So whoever gives work back in order
says so here, and what is neither ended nor given back counts as a death of its process. Like the
queues this lives in memory and is no truth of a run: what is forgotten is only counted anew.
A first delivery costs nothing, because nothing is written before a second one.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from pydantic import Field, ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.publisher import Publisher
from bus.topology import ATTEMPTS_BUCKET
from contracts.errors import PromptbusError
from contracts.message import Message

logger = logging.getLogger(__name__)

_PREFIX = f"$KV.{ATTEMPTS_BUCKET}."
# Giving back must not hold up the end of a process.
GIVE_BACK_S = 2.0


class Attempts(Message):
    """``num_deaths`` processes ended while they worked on it; ``num_faults`` tries failed.

    ``num_acquittals`` times deaths were forgiven.
    """

    num_deaths: int = Field(default=0, ge=0)
    num_faults: int = Field(default=0, ge=0)
    num_acquittals: int = Field(default=0, ge=0)


@dataclass(slots=True)
class Attempt:
    """One try at a piece of work, and what is known of the ones before."""

    key: str
    before: Attempts
    num_faults: int = 0

    def failed(self) -> None:
        """This try ends with a fault that another one may not have."""
        self.num_faults = 1


class AttemptBoard:
    """The counts of all work that is on its way, for one process."""

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._direct = DirectGet(connection, f"KV_{ATTEMPTS_BUCKET}")
        self._publisher = publisher

    async def read(self, key: str, num_delivered: int) -> Attempts:
        """What became of the earlier tries at ``key``, which is a run id and may name a step.

        Raises: BusUnavailable.
        """
        if num_delivered <= 1:
            return Attempts()
        for message in await self._direct.read_all(f"{_PREFIX}{key}"):
            try:
                return Attempts.model_validate_json(message.data)
            except ValidationError as exc:
                logger.warning("ignored attempts on %s: %s", message.subject, exc)
        # Nobody gave the first one back.
        return Attempts(num_deaths=1)

    @asynccontextmanager
    async def begin(self, key: str, before: Attempts, num_delivered: int) -> AsyncIterator[Attempt]:
        """Work on ``key``: counts as a death unless the block is left, by whatever way.

        Raises: BusUnavailable when it cannot be counted.
        """
        attempt = Attempt(key, before)
        if num_delivered > 1:
            deaths = before.num_deaths + 1
            await self._write(key, before.model_copy(update={"num_deaths": deaths}))
        try:
            yield attempt
        except BaseException:
            with anyio.move_on_after(GIVE_BACK_S, shield=True):
                await self._give_back(attempt)
            raise

    async def acquit(self, attempt: Attempt, num_deaths: int) -> None:
        """Blame the work for no more than ``num_deaths``, this one's should it come included.

        Raises: BusUnavailable.
        """
        num_acquittals = attempt.before.num_acquittals + 1
        attempt.before = attempt.before.model_copy(
            update={"num_deaths": num_deaths, "num_acquittals": num_acquittals}
        )
        await self._write(attempt.key, attempt.before)

    async def _give_back(self, attempt: Attempt) -> None:
        """Say that this try was no death, since there will be another one."""
        num_faults = attempt.before.num_faults + attempt.num_faults
        try:
            counts = attempt.before.model_copy(update={"num_faults": num_faults})
            await self._write(attempt.key, counts)
        except PromptbusError as exc:
            logger.warning("could not tell that %s was given back: %s", attempt.key, exc)

    async def _write(self, key: str, attempts: Attempts) -> None:
        await self._publisher.publish(f"{_PREFIX}{key}", attempts)
