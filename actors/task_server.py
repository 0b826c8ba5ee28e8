"""Between one actor and its queue: decode, look, work, write the event, settle."""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext

import anyio

from actors.actor import Actor, failed_step
from actors.burial import bury, now_ns
from actors.retry_policy import POLICIES
from bus.attempt_board import Attempt, AttemptBoard
from bus.connection import Connection
from bus.journal import Journal
from bus.publisher import Publisher
from bus.pull_worker import Delivery, Reject, Retry
from bus.token_stream import TokenWriter
from bus.wait_stream import WaitWriter
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.envelope import CE_SOURCE, CE_TYPE, decode, type_name
from contracts.errors import (
    MalformedMessage,
    MessageTooLarge,
    PromptbusError,
    RemoteError,
    Unexpected,
)
from contracts.event import StepEvent, StepFailed
from contracts.poison import Poison
from contracts.run_context import working_for
from contracts.span import Span
from contracts.task import Task
from contracts.waiting import WaitNote
from contracts.work_span import host_of, work_span

logger = logging.getLogger(__name__)

# A second copy of a step this process works on already looks again after this long.
DOUBLE_PAUSE_S = 2.0
# What a log says of each piece of work; the chaos suite counts by it.
BEGINS = "begins %s of %s, delivery %d, ask %d of %s"
# A task may wait long behind others; so many ended runs are remembered to know what still counts.
MAX_ENDED = 10_000
# The server's clock may be behind by so much, and another second of looking costs little.
CLOCK_SKEW_S = 2.0
# Of a task that was handed out more often, the latest so many tries are looked for.
MAX_LOST = 50
# After the first token, later ones are held together at most this long.
HOLD_S = 0.02


class BusStep:
    """What a handler may use of its step: cancellation, and a way for its text."""

    def __init__(self, tokens: TokenWriter, waits: WaitWriter) -> None:
        self._tokens = tokens
        self._waits = waits
        self._cancelled = False
        self._callbacks: list[Callable[[], None]] = []
        self._held: list[str] = []
        self._flushed_s = float("-inf")

    @property
    def cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return self._cancelled

    def cancel(self) -> None:
        """Tell the handler to end soon."""
        if not self._cancelled:
            self._cancelled = True
            for callback in self._callbacks:
                callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` on cancellation, at once if it has come already."""
        if self._cancelled:
            callback()
        else:
            self._callbacks.append(callback)

    async def emit(self, text: str) -> None:
        """Stream a piece of the answer."""
        self._held.append(text)
        if time.monotonic() - self._flushed_s >= HOLD_S:
            await self.finish()

    async def finish(self) -> None:
        """Stream what is held."""
        text = "".join(self._held)
        self._held.clear()
        self._flushed_s = time.monotonic()
        await self._tokens.write(text)

    async def report_wait(self, note: WaitNote) -> None:
        """Tell what the step waits for."""
        await self._waits.write(note)


class TaskServer:
    """Serves the tasks of one actor; :meth:`handle` is what a pull worker calls."""

    def __init__(
        self, actor: Actor, *, connection: Connection, journal: Journal, publisher: Publisher
    ) -> None:
        self._actor = actor
        self._connection = connection
        self._journal = journal
        self._publisher = publisher
        self._spans = publisher.spans
        self._policy = POLICIES[actor.kind]
        self._attempts = AttemptBoard(connection, publisher)
        self._alone = anyio.Lock()
        self._steps: dict[tuple[str, str], BusStep] = {}
        self._ended: dict[str, None] = {}
        self._hears_since_s = time.time() + CLOCK_SKEW_S
        connection.on_reconnect(self._on_reconnect)

    @property
    def num_in_flight(self) -> int:
        """Steps being worked on."""
        return len(self._steps)

    def end_run(self, run_id: str) -> None:
        """The run was cancelled or has its outcome: stop working on it, and begin no more."""
        self._ended[run_id] = None
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        for (working_on, _), step in tuple(self._steps.items()):
            if working_on == run_id:
                step.cancel()

    async def _on_reconnect(self) -> None:
        self._hears_since_s = time.time() + CLOCK_SKEW_S

    async def handle(self, delivery: Delivery) -> None:
        """Do the step a message asks for.

        Raises: Retry, Reject for the worker to settle the message by.
        """
        run_id: str | None = None
        try:
            task = self._decode(delivery)
            run_id = task.run_id
            with working_for(run_id):
                await self._serve(task, delivery)
        except MalformedMessage as exc:
            # The task, or what stands where its event belongs, is none of ours; nor will it be.
            await self._bury(delivery, exc, run_id)
            raise Reject from exc

    async def _serve(self, task: Task, delivery: Delivery) -> None:
        key = (task.run_id, task.step)
        if key in self._steps:
            raise Retry(DOUBLE_PAUSE_S)
        step = self._steps[key] = BusStep(
            TokenWriter(self._connection, task.run_id, task.attempt),
            WaitWriter(self._connection, task.run_id, task.attempt),
        )
        try:
            if delivery.num_delivered > 1:
                await self._close_lost(task, delivery.num_delivered)
            if self._may_be_done(task, delivery) and await self._is_done(task):
                await self._send_trace(task.run_id)
                return
            await self._try(task, step, delivery)
        finally:
            del self._steps[key]

    async def _try(self, task: Task, step: BusStep, delivery: Delivery) -> None:
        """Do the step unless it has ended too many processes; a suspect is done alone."""
        work = f"{task.run_id}.{task.actor}.{task.attempt}"
        before = await self._attempts.read(work, delivery.num_delivered)
        if before.num_deaths >= self._policy.num_deaths:
            poison = Poison(
                what=task.step,
                num_deaths=before.num_deaths,
                num_tries=delivery.num_delivered - 1,
            )
            await self._bury(delivery, poison, task.run_id, task.step)
            await self._write(task, failed_step(task, poison))
            return
        is_suspect = before.num_deaths >= self._policy.alone_from
        async with self._alone if is_suspect else nullcontext():
            if is_suspect and await self._is_done(task):
                return
            async with self._attempts.begin(work, before, delivery.num_delivered) as attempt:
                await self._do(task, step, delivery, attempt)

    def _decode(self, delivery: Delivery) -> Task:
        named = delivery.headers.get(CE_TYPE)
        for cls in self._actor.handlers:
            if named is None or type_name(cls) == named:
                return decode(cls, delivery.subject, delivery.data)
        reason = f"{self._actor.kind} takes no {str(named)[:80]!r}"
        raise MalformedMessage(subject=delivery.subject, reason=reason, field=CE_TYPE)

    def _may_be_done(self, task: Task, delivery: Delivery) -> bool:
        if task.actor is not ActorKind.SUMMARIZER and task.run_id in self._ended:
            return True
        if delivery.stored_at_s < self._hears_since_s:
            # Its run may have ended while nobody here could hear of that.
            return True
        return task.ask > 1 or delivery.num_delivered > 1

    async def _is_done(self, task: Task) -> bool:
        subject = subjects.step_event(task.run_id, task.actor, task.attempt)
        if await self._journal.read_one(subject) is not None:
            return True
        return task.actor is not ActorKind.SUMMARIZER and await self._has_ended(task.run_id)

    async def _has_ended(self, run_id: str) -> bool:
        for name in (subjects.OUTCOME, subjects.CANCEL):
            try:
                if await self._journal.read_one(subjects.run_event(run_id, name)) is not None:
                    return True
            except MalformedMessage as exc:
                logger.warning("passed over what is no end of a run: %s", exc)
        return False

    async def _do(self, task: Task, step: BusStep, delivery: Delivery, attempt: Attempt) -> None:
        logger.info(
            BEGINS,
            task.step,
            task.run_id,
            delivery.num_delivered,
            task.ask,
            delivery.headers.get(CE_SOURCE),
        )
        begin_ns = now_ns()

        def span(end_ns: int | None = None, error: str = "") -> Span:
            return work_span(
                task.run_id,
                task.step,
                delivery.num_delivered,
                begin_ns=begin_ns,
                end_ns=end_ns,
                host=host_of(self._publisher.source),
                error=error,
            )

        end, is_ours = self._spans.begin(f"{task.run_id}/{task.step}", span), False
        error = ""
        try:
            event = await self._work(task, step, delivery, attempt)
            if delivery.num_delivered > 1:
                event = event.model_copy(update={"num_delivered": delivery.num_delivered})
            is_ours = await self._write(task, event)
        except Retry as exc:
            fault = exc.__cause__
            error = fault.code if isinstance(fault, PromptbusError) else Unexpected.code
            raise
        finally:
            # The end of a try that gave the step its event is told by whoever tells the trace.
            if (end() or error) and not is_ours:
                await self._spans.send([span(now_ns(), error)])
        await self._complete_trace(task)

    async def _work(
        self, task: Task, step: BusStep, delivery: Delivery, attempt: Attempt
    ) -> StepEvent:
        try:
            event = await self._actor.handle(task, step)
        except anyio.get_cancelled_exc_class():
            raise
        except Exception as exc:
            error = exc if isinstance(exc, PromptbusError) else Unexpected(exc)
            if not isinstance(exc, PromptbusError):
                logger.exception("%s failed on %s", self._actor.kind, task.step)
            pause_s = self._policy.pause_s(error, attempt.before.num_faults)
            if pause_s is not None:
                attempt.failed()
                raise Retry(pause_s) from exc
            await self._bury(delivery, error, task.run_id, task.step)
            return failed_step(task, error)
        if isinstance(event, StepFailed):
            await self._bury(delivery, RemoteError(event.error), task.run_id, task.step)
        return event

    async def _write(self, task: Task, event: StepEvent) -> bool:
        """Write the step's event; whether it is the one that stands."""
        subject = subjects.step_event(task.run_id, task.actor, task.attempt)
        try:
            return (await self._journal.write(subject, event)).mine
        except MessageTooLarge as exc:
            failed = failed_step(task, exc).model_copy(
                update={"num_delivered": event.num_delivered}
            )
            return (await self._journal.write(subject, failed)).mine

    async def _complete_trace(self, task: Task) -> None:
        """An event that came after its run's outcome is in no trace yet."""
        if task.run_id in self._ended and task.actor is not ActorKind.SUMMARIZER:
            await self._send_trace(task.run_id)

    async def _send_trace(self, run_id: str) -> None:
        await self._spans.finish(run_id, await self._journal.read(run_id))

    async def _close_lost(self, task: Task, num_delivered: int) -> None:
        """Whoever was handed the task before and is still said to work on it has died."""
        earlier = {
            work_span(task.run_id, task.step, number, begin_ns=0).span_id
            for number in range(max(1, num_delivered - MAX_LOST), num_delivered)
        }
        await self._spans.close_lost(task.run_id, lambda span: span.span_id in earlier)

    async def _bury(
        self,
        delivery: Delivery,
        error: PromptbusError,
        run_id: str | None = None,
        step: str | None = None,
    ) -> None:
        await bury(self._publisher, self._actor.kind, delivery, error, run_id=run_id, step=step)
