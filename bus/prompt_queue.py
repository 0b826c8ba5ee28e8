"""Whether a prompt lies in its queue: accepted, and without an outcome yet."""

import json

from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.topology import PROMPTS
from contracts import subjects
from contracts.errors import BusUnavailable

READ_ATTEMPTS = 10
ANSWER_TIMEOUT_S = 3.0


class PromptQueue:
    """Looks into PROMPTS, as its leader knows it, for prompts submitted under their run ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def holds(self, run_id: str) -> bool:
        """Whether the prompt of that run waits for a coordinator, or is being led by one.

        Raises: InvalidInput for a malformed id, BusUnavailable.
        """
        wanted = json.dumps({"last_by_subj": subjects.prompt_of_run(run_id)}).encode()
        for _ in range(READ_ATTEMPTS):
            try:
                answer = await self._connection.client.request(
                    f"$JS.API.STREAM.MSG.GET.{PROMPTS}", wanted, timeout=ANSWER_TIMEOUT_S
                )
            except (NatsError, TimeoutError):
                continue
            match json.loads(answer.data):
                case {"message": _}:
                    return True
                case {"error": {"err_code": 10037}}:
                    return False
        raise BusUnavailable(f"{PROMPTS} has no leader", cure="check NATS: promptbus doctor")
