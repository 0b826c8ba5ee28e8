"""One run's journal in the hands of its coordinator: ask, replay, cancel, outcome."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Self

import anyio

from bus.connection import Connection
from bus.journal import Journal
from bus.publisher import Publisher
from bus.stored_events import StoredEvents
from bus.task_queues import holds_task
from contracts import subjects
from contracts.errors import DeadlineExceeded, PromptbusError
from contracts.event import (
    CancelRequested,
    Event,
    Outcome,
    RunCancelled,
    RunFailed,
    RunStarted,
    StepEvent,
    StepFailed,
)
from contracts.journal_entry import JournalEntry
from contracts.run_spans import run_spans
from contracts.span import Span
from contracts.task import GenerateAnswer, Task

logger = logging.getLogger(__name__)

# The republish may be lost with a leader: after this much silence the journal is read.
SILENCE_S = 3.0
# After so many silences a confirmed task is looked for, because its stream lives in memory.
SILENCES_PER_LOOK = 3
# Whoever tells why a task waits wants to know its place in the queue sooner than that.
CONFIRM_S = 1.0

OnSent = Callable[[int | None], None]


class RunJournal:
    """The journal of one run while this process holds its lease.

    ``async with`` listens, and loads unless the run is taken to be new. :meth:`ask` answers from
    the journal what is there already, so leading a run again from its start repeats no step.
    ``taken_over`` says that somebody led it before, who may have asked for the same steps; actors
    then look before they work. ``is_new`` says that probably nobody did; :meth:`begin` loads then.
    """

    def __init__(
        self,
        run_id: str,
        *,
        connection: Connection,
        journal: Journal,
        stored: StoredEvents,
        publisher: Publisher,
        taken_over: bool = False,
        is_new: bool = False,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.run_id = run_id
        self._is_new = is_new
        self._first_ask = 2 if taken_over else 1
        self._silence_s = silence_s
        self._connection = connection
        self._journal = journal
        self._stored = stored
        self._publisher = publisher
        self._events: dict[str, Event] = {}
        self._entries: dict[str, JournalEntry] = {}
        self._steps_asked: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._num_reconnects = 0
        self._writing = anyio.Lock()
        self._is_closed = False
        self._forget: list[Callable[[], None]] = []
        self.cancelled = anyio.Event()
        self.begun_at: datetime | None = None

    async def __aenter__(self) -> Self:
        self._forget = [
            self._stored.listen(self._learn, self.run_id),
            self._connection.on_reconnect(self._on_reconnect),
            self._publisher.spans.watch(self),
        ]
        try:
            if not self._is_new:
                await self.refresh()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._stop_asking()
        for forget in self._forget:
            forget()
        self._forget = []

    def _stop_asking(self) -> None:
        """Whoever still asks, though its run is led no more, writes nothing and is let go."""
        self._is_closed = True
        for news in self._waiting.values():
            _wake(news)

    @property
    def outcome(self) -> Outcome | None:
        """The run's one final event, once there is one."""
        event = self._events.get(subjects.OUTCOME)
        return event if isinstance(event, Outcome) else None

    def get(self, step: str) -> Event | None:
        """The event of that step, or of ``started``, ``cancel`` or ``outcome``."""
        return self._events.get(step)

    def steps(self) -> Iterable[tuple[str, StepEvent]]:
        """All steps that have their event."""
        return [(k, event) for k, event in self._events.items() if isinstance(event, StepEvent)]

    async def refresh(self) -> None:
        """Read the whole journal anew; raises BusUnavailable where nobody answers."""
        for entry in await self._journal.read(self.run_id):
            self._learn(entry)

    async def write(self, name: str, event: Event) -> Event:
        """Write an event of the run itself; returns the one that stands, ours or an earlier one."""
        return await self._write(subjects.run_event(self.run_id, name), name, event)

    async def begin(self, started: RunStarted) -> None:
        """Write the first event unless it is there, and know what else the journal holds.

        Of a run that is taken to be new the journal is read while the event is being stored, and
        once more where somebody else had begun it. Raises as :meth:`write` and :meth:`refresh`.
        """
        if not self._is_new:
            if subjects.STARTED not in self._events:
                await self.write(subjects.STARTED, started)
            return
        subject = subjects.run_event(self.run_id, subjects.STARTED)
        written, _ = await asyncio.gather(self._journal.write(subject, started), self.refresh())
        self._events.setdefault(subjects.STARTED, written.event)
        if not written.mine:
            await self.refresh()

    async def ask(
        self, task: Task, *, deadline_s: float, on_sent: OnSent | None = None
    ) -> StepEvent:
        """The one result of the step ``task`` asks for, :class:`StepFailed` included.

        Publishes the task unless the journal has the result, awaits the stored event, asks again
        when the bus has lost the task. After ``deadline_s`` the step has failed, by an event of its
        own, so that a late result changes nothing. ``on_sent`` hears of each sending: None first,
        and the task's sequence in its stream once that is confirmed.

        Raises: BusUnavailable when the bus is away for longer than a publish waits.
        """
        known = self._events.get(task.step)
        if isinstance(known, StepEvent):
            return known
        subject = task_subject(task)
        self._steps_asked.add(task.step)
        event = await self._ask_until_stored(task, subject, deadline_s, on_sent)
        return event if event is not None else await self._fail_late(task, deadline_s)

    async def _ask_until_stored(
        self, task: Task, subject: str, deadline_s: float, on_sent: OnSent | None
    ) -> StepEvent | None:
        """The step's event, or None once the deadline has passed.

        The task is first sent without waiting for its acknowledgement, which nearly always would
        come after its result is under way. After a silence, and after a reconnect, it is published
        again under the same message id: JetStream drops the copy, or tells why the first was not
        stored. Where it lies is then known, and that it still does is looked at now and then.
        """
        step, ends_s = task.step, time.monotonic() + deadline_s
        num_asks, num_silences, sequence = 1, 0, None
        num_reconnects = self._num_reconnects
        await self._send(task, subject, num_asks)
        if on_sent is not None:
            on_sent(None)
        while True:
            soon = sequence is None and on_sent is not None
            silence_s = min(self._silence_s, CONFIRM_S) if soon else self._silence_s
            event = await self._await_event(step, min(silence_s, ends_s - time.monotonic()))
            if event is not None or self._is_closed or time.monotonic() >= ends_s:
                return event
            num_silences += 1
            if num_reconnects != self._num_reconnects:
                num_reconnects, sequence = self._num_reconnects, None
            elif num_silences % SILENCES_PER_LOOK == 0 and await self._is_lost(step, sequence):
                num_asks, sequence = num_asks + 1, None
            if sequence is None:
                sequence = await self._confirm(task, subject, num_asks)
                if on_sent is not None:
                    on_sent(sequence)

    async def _send(self, task: Task, subject: str, num_asks: int) -> None:
        asked, message_id = self._asked(task, num_asks)
        await self._publisher.send(subject, asked, message_id=message_id)

    async def _confirm(self, task: Task, subject: str, num_asks: int) -> int:
        asked, message_id = self._asked(task, num_asks)
        stored = await self._publisher.publish(subject, asked, message_id=message_id)
        return stored.sequence

    def _asked(self, task: Task, num_asks: int) -> tuple[Task, str]:
        """The task as it is asked for the ``num_asks``-th time, and its message id.

        The id is the same whoever leads the run, so that a successor's first ask is dropped.
        """
        ask = max(num_asks, self._first_ask)
        return (
            task.model_copy(update={"ask": ask}) if ask > 1 else task,
            f"{self.run_id}/{task.step}/{num_asks}",
        )

    async def _is_lost(self, step: str, sequence: int | None) -> bool:
        """Whether a confirmed task is gone though its result is not there."""
        if sequence is None or await holds_task(self._connection, sequence):
            return False
        await self._refresh_quietly()
        return step not in self._events

    async def _await_event(self, step: str, timeout_s: float) -> StepEvent | None:
        if step not in self._events and timeout_s > 0:
            await self._wait(step, timeout_s)
        if step not in self._events:
            await self._refresh_quietly()
        event = self._events.get(step)
        return event if isinstance(event, StepEvent) else None

    async def _wait(self, step: str, timeout_s: float) -> None:
        """Wait for news of the step, a reconnect, or the time to pass."""
        loop = asyncio.get_running_loop()
        news = self._waiting[step] = loop.create_future()
        timer = loop.call_later(timeout_s, _wake, news)
        try:
            await news
        finally:
            timer.cancel()
            del self._waiting[step]

    @property
    def num_changes(self) -> int:
        """Grows with everything that becomes known of the run."""
        return len(self._entries) + len(self._steps_asked)

    def spans(self) -> list[Span]:
        """The run's spans as far as they are known here."""
        return run_spans(self.run_id, self._lines(), asked=self._steps_asked)

    async def send_trace(self) -> None:
        """Send the run's spans if it is over.

        Whoever works while a run ends otherwise than answered may have written another event.
        Nothing can be asked for after that.
        """
        self._stop_asking()
        async with self._writing:
            pass
        ended_early = isinstance(self.outcome, (RunFailed, RunCancelled))
        if ended_early or self._events.keys() != self._entries.keys():
            await self._refresh_quietly()
        spans = self._publisher.spans
        sent = {span.span_id for span in await spans.finish(self.run_id, self._lines())}
        if sent and self._first_ask > 1:
            # Whoever led the run before may have told of steps that nobody asked for again.
            await spans.close_lost(self.run_id, lambda span: span.span_id not in sent)

    def _lines(self) -> list[JournalEntry]:
        return sorted(self._entries.values(), key=lambda entry: entry.sequence)

    async def _refresh_quietly(self) -> None:
        try:
            await self.refresh()
        except PromptbusError as exc:
            logger.warning("run %s: journal not readable: %s", self.run_id, exc)

    async def _fail_late(self, task: Task, deadline_s: float) -> StepEvent:
        error = DeadlineExceeded(what=f"step {task.step}", deadline_s=deadline_s)
        failed = StepFailed(
            run_id=self.run_id,
            attempt=task.attempt,
            actor=task.actor,
            error=error.to_wire(),
            duration_ms=deadline_s * 1000,
            num_delivered=0,
        )
        if self._is_closed:
            return failed
        subject = subjects.step_event(self.run_id, task.actor, task.attempt)
        event = await self._write(subject, task.step, failed)
        return event if isinstance(event, StepEvent) else failed

    async def _write(self, subject: str, step: str, event: Event) -> Event:
        async with self._writing:
            written = await self._journal.write(subject, event)
        self._events.setdefault(step, written.event)
        return written.event

    def _learn(self, entry: JournalEntry) -> None:
        step = entry.subject.step
        self._events.setdefault(step, entry.event)
        self._entries.setdefault(step, entry)
        if isinstance(entry.event, RunStarted):
            self.begun_at = entry.stored_at
        if isinstance(entry.event, (CancelRequested, RunCancelled, RunFailed)):
            self.cancelled.set()
        news = self._waiting.get(step)
        if news is not None:
            _wake(news)

    async def _on_reconnect(self) -> None:
        self._num_reconnects += 1
        for news in self._waiting.values():
            _wake(news)


def _wake(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)


def task_subject(task: Task) -> str:
    """Where a task waits to be taken."""
    if isinstance(task, GenerateAnswer):
        return subjects.executor_tasks(task.model, task.priority)
    return subjects.tasks(task.actor)
