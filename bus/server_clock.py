"""What time it is on the server: the one clock that all processes and all stored things share."""

import json
import time
from datetime import datetime

from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.direct_get import parse_time
from bus.topology import RUNS
from contracts.errors import BusUnavailable

# Clocks of machines drift by milliseconds in so long.
ASK_EVERY_S = 60.0
ANSWER_TIMEOUT_S = 2.0


class ServerClock:
    """Asks the server once a minute, and in between adds what has passed here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._offset_s: float | None = None
        self._asked_s = float("-inf")

    async def age_s(self, moment: datetime | float) -> float:
        """Seconds since ``moment``, a time of the server (POSIX seconds where it is a number).

        Raises: BusUnavailable where it was never told and does not answer now.
        """
        if isinstance(moment, datetime):
            moment = moment.timestamp()
        return max(0.0, await self._now_s() - moment)

    async def _now_s(self) -> float:
        if time.monotonic() - self._asked_s > ASK_EVERY_S:
            await self._ask()
        if self._offset_s is None:
            raise BusUnavailable("the server does not tell its time")
        return time.monotonic() + self._offset_s

    async def _ask(self) -> None:
        try:
            answer = await self._connection.client.request(
                f"$JS.API.STREAM.INFO.{RUNS}", b"", timeout=ANSWER_TIMEOUT_S
            )
            told = json.loads(answer.data).get("ts")
        except (NatsError, TimeoutError):
            return
        if told is not None:
            self._asked_s = time.monotonic()
            self._offset_s = parse_time(told).timestamp() - self._asked_s
