"""How many generations are outstanding, told of all queues of executors by one request."""

import logging
from collections import Counter
from collections.abc import Mapping

from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from bus.connection import Connection
from bus.topology import TASKS
from contracts import subjects
from contracts.errors import BusUnavailable, InvalidInput
from contracts.prompt import Priority

logger = logging.getLogger(__name__)


async def holds_task(connection: Connection, sequence: int) -> bool:
    """Whether the task of that sequence is still in its stream, waiting or being worked on.

    True as well where the bus does not tell.
    """
    try:
        await connection.jetstream.get_msg(TASKS, seq=sequence)
    except NotFoundError:
        return False
    except (APIError, NatsError, TimeoutError) as exc:
        logger.debug("%s does not tell about %d: %s", TASKS, sequence, exc)
    return True


class TaskQueues:
    """Reads the depth of ``tasks.executor.<model>.<priority>``.

    A task counts until it is acknowledged: those that wait and those being worked on alike.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def depths(self) -> Mapping[tuple[str, Priority], int]:
        """Outstanding generations by model and priority; queues without any are left out.

        Raises: BusUnavailable.
        """
        try:
            info = await self._connection.jetstream.stream_info(
                TASKS, subjects_filter=subjects.EXECUTOR_TASKS_ALL
            )
        except (APIError, NatsError, TimeoutError) as exc:
            raise BusUnavailable(
                f"stream {TASKS} does not tell its queues: {exc or type(exc).__name__}",
                cure="check NATS: promptbus doctor",
            ) from exc
        found: dict[tuple[str, Priority], int] = {}
        for subject, depth in (info.state.subjects or {}).items():
            try:
                found[subjects.parse_executor_tasks(subject)] = depth
            except InvalidInput:
                logger.warning("ignored %s tasks on %s", depth, subject[:200])
        return found

    async def depth_by_model(self) -> Mapping[str, int]:
        """Outstanding generations by model, of all priorities together.

        Raises: BusUnavailable.
        """
        total: Counter[str] = Counter()
        for (model, _), depth in (await self.depths()).items():
            total[model] += depth
        return total
