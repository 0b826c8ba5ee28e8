"""Clients of a chaos run: they submit at a steady pace, try again, and keep a journal of it all."""

import http.client
import json
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal

import anyio

from bus.prompt_client import PromptClient
from contracts.errors import BusUnavailable, PromptbusError, QueueFull, RunFinished
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.chaos.plan import ChaosPlan

# A prompt that is not accepted by then never is; whether one try of many was, nobody knows.
GIVE_UP_S = 120.0
HTTP_TIMEOUT_S = 5.0
RETRY_S = 0.3
DEADLINE_S = 600.0
# Of so many submissions one goes over HTTP, and of so many one is cancelled a moment later.
HTTP_EVERY = 3
CANCEL_EVERY = 20
NUM_SESSIONS = 10

Verdict = Literal["ok", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client knows of one prompt: accepted, refused, or neither; times since the epoch."""

    number: int
    prompt: str
    run_id: str | None = None
    verdict: Verdict = "unknown"
    submitted_at_s: float = 0.0
    answered_at_s: float = 0.0
    num_tries: int = 0
    cancelled: bool = False


class Load:
    """Submits the prompts of a plan and keeps the journal of the clients."""

    def __init__(
        self, plan: ChaosPlan, client: PromptClient, api_port: int, tick: Callable[[], None]
    ) -> None:
        self._plan = plan
        self._client = client
        self._api_port = api_port
        self._tick = tick
        self._rng = random.Random(plan.seed)  # noqa: S311 - repeatable, keeps no secret
        self._threads = anyio.CapacityLimiter(40)
        self.journal: dict[int, Submission] = {}

    async def run(self) -> None:
        """Submit everything; returns when each prompt is accepted, refused or given up."""
        began_s = time.monotonic()
        gap_s = self._plan.duration_s / self._plan.num_runs
        async with anyio.create_task_group() as tasks:
            for number in range(self._plan.num_runs):
                await anyio.sleep(max(0.0, began_s + gap_s * number - time.monotonic()))
                tasks.start_soon(self._submit, number, self._prompt(number))

    def _prompt(self, number: int) -> str:
        words = " ".join(self._rng.choice(_WORDS) for _ in range(self._rng.randint(3, 10)))
        return f"run {number} says {words}"

    async def _submit(self, number: int, prompt: str) -> None:
        begun = Submission(number, prompt, submitted_at_s=time.time())
        self.journal[number] = begun
        submit = self._over_http if number % HTTP_EVERY == 0 else self._over_bus
        ended = replace(await submit(begun), answered_at_s=time.time())
        self.journal[number] = ended
        self._tick()
        if ended.run_id is not None and number % CANCEL_EVERY == CANCEL_EVERY - 1:
            await self._cancel(ended)

    async def _over_bus(self, begun: Submission) -> Submission:
        """The run id is the client's own, so trying again is safe."""
        prompt = SubmitPrompt(run_id=new_run_id(), **_wishes(begun))
        known = replace(begun, run_id=prompt.run_id)
        deadline_s = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline_s:
            known = replace(known, num_tries=known.num_tries + 1)
            try:
                await self._client.submit(prompt, Priority.NORMAL)
            except (BusUnavailable, QueueFull):
                await anyio.sleep(RETRY_S)
            except PromptbusError:
                return replace(known, verdict="fail")
            else:
                return replace(known, verdict="ok")
        return known

    async def _over_http(self, begun: Submission) -> Submission:
        """The key makes trying again safe, whichever API answers."""
        known, key = begun, secrets.token_hex(16)
        deadline_s = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline_s:
            known = replace(known, num_tries=known.num_tries + 1)
            try:
                status, run_id = await anyio.to_thread.run_sync(
                    self._post, begun, key, limiter=self._threads
                )
            except (OSError, http.client.HTTPException, ValueError):
                await anyio.sleep(RETRY_S)
                continue
            if run_id is not None:
                return replace(known, run_id=run_id, verdict="ok")
            if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                return replace(known, verdict="fail")
            await anyio.sleep(RETRY_S)
        return known

    def _post(self, begun: Submission, key: str) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self._api_port, timeout=HTTP_TIMEOUT_S)
        try:
            connection.request(
                "POST",
                "/orchestrator/run?wait_s=0",
                json.dumps({**_wishes(begun), "priority": "normal"}),
                {"Content-Type": "application/json", "Idempotency-Key": key},
            )
            answer = connection.getresponse()
            body = json.loads(answer.read())
        finally:
            connection.close()
        accepted = answer.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED}
        return answer.status, str(body["run_id"]) if accepted else None

    async def _cancel(self, ended: Submission) -> None:
        await anyio.sleep(self._rng.uniform(0, 0.5))
        try:
            await self._client.cancel(str(ended.run_id), reason="chaos")
        except (RunFinished, BusUnavailable):
            return
        self.journal[ended.number] = replace(ended, cancelled=True)


def _wishes(begun: Submission) -> dict[str, object]:
    """One attempt for all, because the validator may want another of an echo."""
    wishes: dict[str, object] = {
        "prompt": begun.prompt,
        "model": "echo",
        "max_attempts": 1,
        "deadline_s": DEADLINE_S,
    }
    if begun.number % 4 == 0:
        wishes["session_id"] = f"session-{begun.number % NUM_SESSIONS}"
    return wishes


_WORDS = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty",
    "knoll", "larch", "maple", "north", "ocean", "pearl", "quartz", "river", "stone", "tidal",
)  # fmt: skip
