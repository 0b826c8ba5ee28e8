"""The coordinator: leads every run it holds a lease on, and gives each exactly one outcome."""

import json
import logging
import time
from collections.abc import Awaitable, Callable

import anyio
from langchain_core.runnables import RunnableConfig
from opentelemetry import propagate, trace

from actors.coordinator.graph import RunContext, StepError, build_graph
from actors.coordinator.run_state import RunState
from actors.coordinator.wait_reporter import WaitReporter
from actors.task_server import bury
from bus.connection import Connection
from bus.journal import Journal
from bus.publisher import Publisher
from bus.pull_worker import Delivery, Reject, backoff_s
from bus.run_journal import RunJournal
from bus.stored_events import StoredEvents
from contracts import semconv, subjects
from contracts.actor_kind import ActorKind
from contracts.envelope import decode
from contracts.errors import (
    DeadlineExceeded,
    MalformedMessage,
    MessageTooLarge,
    PromptbusError,
    Unexpected,
)
from contracts.event import (
    CancelRequested,
    Outcome,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    StepEvent,
)
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import check_run_id, derive_run_id
from contracts.task import DecideResources, GenerateAnswer, StepTotals, Task

logger = logging.getLogger(__name__)
tracer = trace.get_tracer("promptbus")

DEFAULT_DEADLINE_S = 900.0
DEFAULT_MAX_ATTEMPTS = 3
# What a run can do without is not waited for until its own deadline: the session's earlier turns,
# and the summary of an answer that is out already.
STEP_DEADLINES_S = {ActorKind.HISTORY: 10.0, ActorKind.SUMMARIZER: 20.0}
# A run that was leased this often kills whoever leads it.
MAX_LEASES = 8

# Two nodes an attempt, and the five around them, with room to spare.
_CONFIG: RunnableConfig = {"recursion_limit": 100}

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
            await bury(self._publisher, self.kind, delivery, exc, submitted.run_id)
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
        with tracer.start_as_current_span(
            "run",
            context=propagate.extract(dict(delivery.headers)),
            kind=trace.SpanKind.CONSUMER,
            attributes={semconv.RUN_ID: run_id, semconv.ACTOR: str(self.kind)},
        ) as span:
            async with run_journal:
                run = _Run(run_journal, submitted, priority, await self._served(), self._waits)
                if run.is_over:
                    return
                if delivery.num_delivered > MAX_LEASES:
                    await run.give_up(delivery.num_delivered)
                else:
                    await self._lead_to_outcome(run, _trace_id(span))
                if run_journal.outcome is not None:
                    span.set_attribute(semconv.OUTCOME, run_journal.outcome.state)

    async def _accept(self, delivery: Delivery) -> tuple[SubmitPrompt, Priority]:
        try:
            priority = subjects.parse_prompts(delivery.subject)
            return decode(SubmitPrompt, delivery.subject, delivery.data), priority
        except PromptbusError as exc:
            run_id = _run_id_in(delivery.data)
            await bury(self._publisher, self.kind, delivery, exc, run_id)
            if run_id is not None:
                # Whoever submitted under this id waits for an outcome.
                failed = RunFailed(run_id=run_id, error=exc.to_wire())
                await self._journal.write(subjects.run_event(run_id, subjects.OUTCOME), failed)
            raise Reject from exc

    async def _lead_to_outcome(self, run: "_Run", trace_id: str | None) -> None:
        try:
            is_new = await run.begin(trace_id)
            if is_new or not run.is_over:
                await self._conduct(run, is_new=is_new)
        except (MalformedMessage, MessageTooLarge) as exc:
            # The run's own text or journal is at fault, so another lease would end the same way.
            await run.fail(exc)

    async def _conduct(self, run: "_Run", *, is_new: bool) -> None:
        """Run the graph under the run's deadline, until its end or the wish to cancel it."""
        done, fault = anyio.Event(), None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.end_when_cancelled, tasks.cancel_scope, done)
            if is_new:
                tasks.start_soon(run.look_for_cancel)
            try:
                with anyio.move_on_after(run.deadline_s) as scope:
                    await self._graph.ainvoke(
                        run.initial_state(),
                        _CONFIG,
                        context=RunContext(run),
                        # The outcome is in the journal; reading one channel costs least.
                        output_keys="priority",
                    )
            except (StepError, PromptbusError) as exc:
                fault = exc
            done.set()
            tasks.cancel_scope.cancel()
        await run.finish_cancelled()
        if isinstance(fault, StepError):
            await run.finish(
                RunFailed(run_id=run.run_id, error=fault.failed.error, step=fault.step)
            )
        elif fault is not None:
            raise fault
        elif scope.cancelled_caught:
            await run.finish_late()


class _Run:
    """One run being led: the conductor that the graph's nodes ask."""

    def __init__(
        self,
        journal: RunJournal,
        submitted: SubmitPrompt,
        priority: Priority,
        served: frozenset[str],
        waits: WaitReporter,
    ) -> None:
        self.run_id = journal.run_id
        self._journal = journal
        self._submitted = submitted
        self._priority = priority
        self._served = served
        self._waits = waits
        self._asking: str | None = None
        self._cancelled_at_s: float | None = None
        self._deadline_s = submitted.deadline_s or DEFAULT_DEADLINE_S
        self._started_s = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: there is an outcome, and a summary of an answer."""
        outcome = self._journal.outcome
        if isinstance(outcome, RunAnswered):
            return self._journal.get(f"{ActorKind.SUMMARIZER}/1") is not None
        return outcome is not None

    @property
    def deadline_s(self) -> float:
        """Seconds this lease may take."""
        return self._deadline_s

    def initial_state(self) -> RunState:
        """The state before the first node."""
        return {
            "submitted": self._submitted,
            "priority": self._priority,
            "served": self._served,
            "max_attempts": self._submitted.max_attempts or DEFAULT_MAX_ATTEMPTS,
            "generations": [],
            "validations": [],
        }

    async def begin(self, trace_id: str | None) -> bool:
        """Write the first event, unless the journal has it; whether nobody led this run before."""
        return await self._journal.begin(
            RunStarted(
                run_id=self.run_id,
                submitted=self._submitted,
                priority=self._priority,
                trace_id=trace_id,
            )
        )

    async def look_for_cancel(self) -> None:
        """A prompt may have been cancelled before anybody led its run."""
        await self._journal.refresh_quietly()

    async def ask(self, task: Task) -> StepEvent:
        """The one result of that step; later attempts wait a little before they are asked for."""
        if self._journal.get(task.step) is None:
            self._asking = task.step
            if task.attempt > 1 and task.actor is ActorKind.EXECUTOR:
                await anyio.sleep(backoff_s(task.attempt - 1, base_s=0.2, max_s=10))
        deadline_s = self._step_deadline_s(task.actor)
        if not isinstance(task, (DecideResources, GenerateAnswer)):
            return await self._journal.ask(task, deadline_s=deadline_s)
        with self._waits.watch(task) as watched:
            return await self._journal.ask(task, deadline_s=deadline_s, on_sent=watched.on_sent)

    def _step_deadline_s(self, actor: ActorKind) -> float:
        """The step's own deadline; the run's ends every step but the summary, which follows it."""
        own_s = STEP_DEADLINES_S.get(actor, self._deadline_s)
        if actor is ActorKind.SUMMARIZER:
            return own_s
        left_s = self._deadline_s - (time.monotonic() - self._started_s)
        return max(min(own_s, left_s), 0.1)

    async def finish(self, outcome: Outcome) -> None:
        """Write the outcome; an earlier one stands."""
        if self._journal.outcome is None:
            await self._journal.write(subjects.OUTCOME, outcome)

    async def finish_late(self) -> None:
        """The deadline of the whole run has passed."""
        where = f" at step {self._asking}" if self._asking else ""
        error = DeadlineExceeded(what=f"the run{where}", deadline_s=self._deadline_s)
        await self.fail(error)

    async def fail(self, error: PromptbusError) -> None:
        """The run cannot go on from the step it is at."""
        await self.finish(RunFailed(run_id=self.run_id, error=error.to_wire(), step=self._asking))

    async def end_when_cancelled(self, scope: anyio.CancelScope, done: anyio.Event) -> None:
        """Stop leading as soon as the journal says that the run is cancelled."""
        await self._journal.cancelled.wait()
        if self._journal.outcome is None and not done.is_set():
            self._cancelled_at_s = time.monotonic()
            scope.cancel()

    async def finish_cancelled(self) -> None:
        """The outcome of a cancelled run; nothing for any other."""
        request = self._journal.get(subjects.CANCEL)
        if self._cancelled_at_s is None or not isinstance(request, CancelRequested):
            return
        cancel_ms = (time.monotonic() - self._cancelled_at_s) * 1000
        await self.finish(
            RunCancelled(
                run_id=self.run_id,
                step=self._asking,
                cancel_ms=round(cancel_ms, 3),
                reason=request.reason,
            )
        )

    async def give_up(self, num_leases: int) -> None:
        """End a run that nobody survives leading."""
        reason = f"gave up after {num_leases - 1} leases without an outcome"
        error = Unexpected(RuntimeError(reason)).to_wire()
        poison = error.model_copy(update={"code": "poison", "retryable": False})
        await self.finish(RunFailed(run_id=self.run_id, error=poison, step=self._asking))

    def totals(self) -> tuple[StepTotals, ...]:
        """What the steps so far took."""
        return tuple(
            StepTotals(step=step, duration_ms=event.duration_ms)
            for step, event in self._journal.steps()
        )


def _trace_id(span: trace.Span) -> str | None:
    context = span.get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def _run_id_in(payload: bytes) -> str | None:
    """The run id a malformed prompt names, if it names one."""
    try:
        run_id = json.loads(payload)["run_id"]
        return check_run_id(run_id)
    except (ValueError, TypeError, KeyError, RecursionError, PromptbusError):
        return None
