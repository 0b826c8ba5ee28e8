"""The trace of a run, computed from its journal; pure.

Whoever computes it gets the same spans, so a run whose coordinator died has the trace that it would
have had. Ids follow from run, step and attempt; times are the stream's.
"""

from collections.abc import Collection, Sequence
from typing import Final

from contracts import semconv, subjects
from contracts.event import (
    AnswerGenerated,
    CancelRequested,
    OutputValidated,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    StepEvent,
    StepFailed,
)
from contracts.generation_spans import generation_spans
from contracts.journal_entry import JournalEntry
from contracts.prompt import ChatMessage
from contracts.run_id import made_at_ms
from contracts.run_steps import RunHistory, Visit, stored_ns, to_ns, work_ns
from contracts.semconv import Role
from contracts.span import AttributeValue, Span, SpanEvent, SpanKind, SpanLink, span_id_of
from contracts.trace_context import SUBMIT, parse_traceparent, run_span_id
from contracts.work_span import host_of, message_attributes, role_of, work_span

LEAD: Final = "lead"
# A run id is made when its prompt is submitted; one that says otherwise was not made by us.
_MAX_SUBMITTING_NS: Final = 60_000_000_000


def run_spans(
    run_id: str,
    journal: Sequence[JournalEntry],
    *,
    asked: Collection[str] | None = None,
    with_content: bool = False,
) -> list[Span]:
    """The spans of run ``run_id``; open ones are those of a run that is not over.

    ``asked`` names the steps that were asked for, where somebody knows. Prompts and answers are in
    no span unless ``with_content``.
    """
    if not journal:
        return []
    return _Trace(run_id, RunHistory(journal), with_content=with_content).spans(asked)


class _Trace:
    def __init__(self, run_id: str, history: RunHistory, *, with_content: bool) -> None:
        self._run_id = run_id
        self._history = history
        self._with_content = with_content
        self._end_ns: int | None = None
        if history.is_over:
            self._end_ns = max(map(stored_ns, history.journal))
        self._top = run_span_id(run_id)

    def spans(self, asked: Collection[str] | None) -> list[Span]:
        found = [self._root()]
        started, start = self._history.started, self._history.start
        if started is not None and start is not None:
            found += (self._submission(start, started), self._lead(start, started))
            self._top = span_id_of(self._run_id, LEAD)
        for visit in self._history.visits(asked):
            found += self._step(visit)
        return found

    def _root(self) -> Span:
        history = self._history
        attributes: dict[str, AttributeValue] = {
            semconv.ROLE: Role.RUN,
            semconv.RUN_ID: self._run_id,
        }
        error = ""
        links: tuple[SpanLink, ...] = ()
        if history.started is not None:
            links = _links(self._run_id, history.started)
            if history.started.submitted.replay_of is not None:
                attributes[semconv.REPLAY_OF] = history.started.submitted.replay_of
            session_id = history.started.submitted.session_id
            if self._with_content and session_id is not None:
                attributes[semconv.GEN_AI_CONVERSATION_ID] = session_id
        if history.outcome is not None:
            attributes[semconv.OUTCOME] = history.outcome.state
            if isinstance(history.outcome, RunAnswered):
                attributes[semconv.NUM_ATTEMPTS] = history.outcome.num_attempts
            if isinstance(history.outcome, RunFailed):
                error = history.outcome.error.code
        return self._span(
            self._run_id_span(),
            "",
            "run",
            SpanKind.INTERNAL,
            begin_ns=self._begin_ns(),
            end_ns=self._end_ns,
            service="promptbus",
            attributes=attributes,
            error=error,
            events=tuple(_cancels(history.journal)),
            links=links,
        )

    def _run_id_span(self) -> str:
        return run_span_id(self._run_id)

    def _begin_ns(self) -> int:
        """When the prompt was submitted, or the first thing known of the run."""
        history = self._history
        first = history.claim or history.start
        known_ns = stored_ns(first) if first is not None else work_ns(history.journal[0])
        if history.started is not None and history.started.accepted_at is not None:
            known_ns = min(known_ns, to_ns(history.started.accepted_at))
        made_ns = made_at_ms(self._run_id) * 1_000_000
        return made_ns if 0 <= known_ns - made_ns <= _MAX_SUBMITTING_NS else known_ns

    def _submission(self, start: JournalEntry, started: RunStarted) -> Span:
        subject = subjects.prompts(started.priority)
        accepted_ns = stored_ns(start)
        if started.accepted_at is not None:
            accepted_ns = min(accepted_ns, to_ns(started.accepted_at))
        return self._span(
            span_id_of(self._run_id, SUBMIT),
            self._run_id_span(),
            f"send {subject}",
            SpanKind.PRODUCER,
            begin_ns=self._begin_ns(),
            end_ns=accepted_ns,
            service=semconv.service_of(role_of(started.source)),
            host=host_of(started.source),
            attributes={semconv.ROLE: Role.SUBMIT, **message_attributes("send", subject)},
        )

    def _lead(self, start: JournalEntry, started: RunStarted) -> Span:
        subject = subjects.prompts(started.priority)
        begin_ns = stored_ns(start)
        accepted_ns = to_ns(started.accepted_at) if started.accepted_at is not None else begin_ns
        return self._span(
            span_id_of(self._run_id, LEAD),
            span_id_of(self._run_id, SUBMIT),
            f"process {subject}",
            SpanKind.CONSUMER,
            begin_ns=begin_ns,
            end_ns=self._end_ns,
            service=semconv.service_of("coordinator"),
            host=host_of(start.writer),
            attributes={
                semconv.ROLE: Role.LEAD,
                **message_attributes("process", subject),
                semconv.MESSAGING_CONSUMER_GROUP: f"coordinator-{started.priority}",
                semconv.QUEUE_MS: max(0, begin_ns - accepted_ns) / 1e6,
            },
        )

    def _step(self, visit: Visit) -> list[Span]:
        entry, event = visit.entry, visit.entry.event if visit.entry is not None else None
        step_id = span_id_of(self._run_id, visit.step)
        subject = subjects.tasks(visit.kind)
        attributes = {**_step_attributes(visit, Role.STEP), **message_attributes("send", subject)}
        error = event.error.code if isinstance(event, StepFailed) else ""
        end_ns = stored_ns(entry) if entry is not None else self._end_ns
        if entry is None and self._end_ns is not None:
            attributes[semconv.UNANSWERED] = True
            error = _unanswered(self._history)
        if entry is not None and isinstance(event, StepEvent):
            attributes[semconv.WORK_MS] = event.duration_ms
            attributes[semconv.QUEUE_MS] = (visit.begun_ns - visit.asked_ns) / 1e6
        step = self._span(
            step_id,
            self._top,
            f"send {subject}",
            SpanKind.PRODUCER,
            begin_ns=visit.asked_ns,
            end_ns=end_ns,
            service=semconv.service_of("coordinator"),
            attributes=attributes,
            error=error,
        )
        if entry is None or not isinstance(event, StepEvent) or event.num_delivered == 0:
            return [step]
        return [step, *self._work(visit, entry, event, step_id, error)]

    def _work(
        self, visit: Visit, entry: JournalEntry, event: StepEvent, step_id: str, error: str
    ) -> list[Span]:
        work = work_span(
            self._run_id,
            visit.step,
            event.num_delivered,
            begin_ns=visit.begun_ns,
            end_ns=stored_ns(entry),
            host=host_of(entry.writer),
            error=error,
        )
        if isinstance(event, OutputValidated):
            work = work._replace(
                attributes={
                    **work.attributes,
                    semconv.SCORE: event.score,
                    semconv.VERDICT: event.verdict,
                }
            )
        if not isinstance(event, AnswerGenerated):
            return [work]
        prompt = self._history.started.submitted if self._history.started is not None else None
        messages = self._conversation() if self._with_content else None
        return [work, *generation_spans(work, visit.step, event.result, prompt, messages)]

    def _conversation(self) -> tuple[ChatMessage, ...]:
        started = self._history.started
        return started.submitted.conversation() if started is not None else ()

    def _span(
        self,
        span_id: str,
        parent_id: str,
        name: str,
        kind: SpanKind,
        *,
        begin_ns: int,
        end_ns: int | None,
        service: str,
        attributes: dict[str, AttributeValue],
        host: str = "",
        error: str = "",
        events: tuple[SpanEvent, ...] = (),
        links: tuple[SpanLink, ...] = (),
    ) -> Span:
        if error:
            attributes[semconv.ERROR_TYPE] = error
        return Span(
            self._run_id,
            span_id,
            parent_id,
            name,
            kind,
            begin_ns,
            end_ns if end_ns is None else max(begin_ns, end_ns),
            service,
            host,
            attributes,
            error,
            events,
            links,
        )


def _step_attributes(visit: Visit, role: Role) -> dict[str, AttributeValue]:
    return {
        semconv.ROLE: role,
        semconv.ACTOR: visit.kind.value,
        semconv.STEP: visit.step,
        semconv.ATTEMPT: visit.attempt,
        semconv.AFTER: ",".join(visit.after),
    }


def _unanswered(history: RunHistory) -> str:
    """Why a step has no result: nothing is wrong where somebody cancelled it."""
    if isinstance(history.outcome, RunCancelled):
        return ""
    return history.outcome.error.code if isinstance(history.outcome, RunFailed) else "unanswered"


def _links(run_id: str, started: RunStarted) -> tuple[SpanLink, ...]:
    """What the run continues: the one it replays, and the trace of whoever submitted it."""
    found: list[SpanLink] = []
    if started.submitted.replay_of is not None:
        before = started.submitted.replay_of
        found.append(SpanLink(before, run_span_id(before)))
    caller = parse_traceparent(started.traceparent)
    if caller is not None and caller.trace_id != run_id:
        found.append(caller)
    return tuple(found)


def _cancels(journal: Sequence[JournalEntry]) -> list[SpanEvent]:
    return [
        SpanEvent(semconv.CANCEL_EVENT, stored_ns(entry), {})
        for entry in journal
        if isinstance(entry.event, CancelRequested)
    ]
