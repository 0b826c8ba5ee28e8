"""The coordinator: leads every run it holds a lease on, and gives each exactly one outcome."""

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import anyio
from anyio.abc import TaskStatus

from actors.burial import bury
from actors.coordinator.graph import build_graph
from actors.coordinator.led_run import LedRun
from actors.coordinator.wait_reporter import WaitReporter
from actors.retry_policy import POLICIES
from bus.attempt_board import Attempt, AttemptBoard, Attempts
from bus.connection import Connection
from bus.journal import Journal
from bus.publisher import Publisher
from bus.pull_worker import Delivery, Reject
from bus.run_journal import RunJournal
from bus.server_clock import ServerClock
from bus.stage_reader import StageReader
from bus.stored_events import StoredEvents
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.envelope import decode
from contracts.errors import MalformedMessage, MessageTooLarge, PromptbusError
from contracts.event import RunFailed, RunStarted
from contracts.poison import Poison
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_context import working_for
from contracts.run_id import check_run_id, derive_run_id
from contracts.run_started import make_run_started

logger = logging.getLogger(__name__)

# Whoever was acquitted so often and still ends coordinators does so later than at once.
MAX_ACQUITTALS = 8
# Whatever ends a coordinator does so within this time after it took the run up again.
SUSPICION_S = 1.0

_POLICY = POLICIES[ActorKind.COORDINATOR]

ServedModels = Callable[[], Awaitable[frozenset[str]]]


class Coordinator:
    """Leads runs; :meth:`lead` is what a pull worker on PROMPTS calls.

    ``served`` tells which models executors serve now; ``waits`` tells runs why they wait.
    """

    kind = ActorKind.COORDINATOR

    def __init__(
        self,
        *,
        connection: Connection,
        journal: Journal,
        publisher: Publisher,
        stored: StoredEvents,
        served: ServedModels,
        waits: WaitReporter,
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._publisher = publisher
        self._stored = stored
        self._served = served
        self._waits = waits
        self._attempts = AttemptBoard(connection, publisher)
        self._one_suspect = anyio.Lock()
        self._clock = ServerClock(connection)
        self._stages = StageReader(connection, self._clock)
        self._graph = build_graph()

    async def lead(self, delivery: Delivery) -> None:
        """Lead the run whose prompt was delivered until its outcome and summary are written.

        Raises: Reject for a message that is no prompt; BusUnavailable when the lease should pass
        on to another coordinator.
        """
        submitted, priority = await self._accept(delivery)
        try:
            await self._lead(delivery, submitted, priority)
        except MalformedMessage as exc:
            # Something else stands where the outcome belongs; no other lease would change that.
            await bury(self._publisher, self.kind, delivery, exc, run_id=submitted.run_id)
            raise Reject from exc

    async def _lead(self, delivery: Delivery, submitted: SubmitPrompt, priority: Priority) -> None:
        run_id = submitted.run_id or derive_run_id(
            int(delivery.stored_at_s * 1000), delivery.subject, str(delivery.stream_sequence)
        )
        run_journal = RunJournal(
            run_id,
            connection=self._connection,
            journal=self._journal,
            stored=self._stored,
            publisher=self._publisher,
            taken_over=delivery.num_delivered > 1,
            is_new=delivery.num_delivered == 1,
        )
        accepted_at = datetime.fromtimestamp(delivery.stored_at_s, UTC)
        started = make_run_started(run_id, submitted, priority, delivery.headers, accepted_at)
        with working_for(run_id):
            async with run_journal:
                served = await self._served()
                run = LedRun(
                    run_journal,
                    submitted,
                    priority,
                    served=served,
                    waits=self._waits,
                    stages=self._stages,
                )
                if not run.is_over:
                    await run.count_time(delivery.stored_at_s, self._clock)
                    await self._try(run, delivery, started)
                # Also that of a run whose last coordinator died before it had sent it.
                await run_journal.send_trace()

    async def _try(self, run: LedRun, delivery: Delivery, started: RunStarted) -> None:
        """Lead the run unless it has ended too many coordinators."""
        before = await self._attempts.read(run.run_id, delivery.num_delivered)
        if _is_poison(before):
            poison = Poison(
                what="the run",
                num_deaths=before.num_deaths,
                num_tries=delivery.num_delivered - 1,
            )
            await bury(self._publisher, self.kind, delivery, poison, run_id=run.run_id)
            await run.fail(poison)
            return
        work = self._attempts.begin(run.run_id, before, delivery.num_delivered)
        if before.num_deaths < _POLICY.alone_from:
            async with work:
                await self._lead_to_outcome(run, started)
        else:
            await self._lead_suspect(run, started, work)

    async def _lead_suspect(
        self, run: LedRun, started: RunStarted, work: AbstractAsyncContextManager[Attempt]
    ) -> None:
        """Begin while no other suspect does, so that the one that kills does so alone.

        Waiting for that is no attempt. One that is survived for a moment is acquitted of the last
        deaths.
        """
        fault: Exception | None = None
        begun: list[Attempt] = []
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._hold_others_back, begun)
            try:
                async with work as attempt:
                    begun.append(attempt)
                    await self._lead_to_outcome(run, started)
            except Exception as exc:
                fault = exc
            tasks.cancel_scope.cancel()
        if fault is not None:
            raise fault

    async def _hold_others_back(
        self, begun: Sequence[Attempt], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async with self._one_suspect:
            task_status.started()
            await anyio.sleep(SUSPICION_S)
            for attempt in begun:
                await self._attempts.acquit(attempt, _POLICY.alone_from - 1)

    async def _accept(self, delivery: Delivery) -> tuple[SubmitPrompt, Priority]:
        try:
            priority = subjects.parse_prompts(delivery.subject)
            return decode(SubmitPrompt, delivery.subject, delivery.data), priority
        except PromptbusError as exc:
            run_id = _run_id_in(delivery.data)
            await bury(self._publisher, self.kind, delivery, exc, run_id=run_id)
            if run_id is not None:
                # Whoever submitted under this id waits for an outcome.
                failed = RunFailed(run_id=run_id, error=exc.to_wire())
                await self._journal.write(subjects.run_event(run_id, subjects.OUTCOME), failed)
                journal = await self._journal.read(run_id)
                await self._publisher.spans.finish(run_id, journal)
            raise Reject from exc

    async def _lead_to_outcome(self, run: LedRun, started: RunStarted) -> None:
        try:
            await run.begin(started)
            if run.is_over:
                return
            if run.deadline_s > 0:
                await run.conduct(self._graph)
            else:
                await run.finish_late()
        except (MalformedMessage, MessageTooLarge) as exc:
            # The run's own text or journal is at fault, so another lease would end the same way.
            await run.fail(exc)


def _is_poison(before: Attempts) -> bool:
    return before.num_deaths >= _POLICY.num_deaths or before.num_acquittals >= MAX_ACQUITTALS


def _run_id_in(payload: bytes) -> str | None:
    """The run id a malformed prompt names, if it names one."""
    try:
        run_id = json.loads(payload)["run_id"]
        return check_run_id(run_id)
    except (ValueError, TypeError, KeyError, RecursionError, PromptbusError):
        return None
