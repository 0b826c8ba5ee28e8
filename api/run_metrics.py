"""Counts what runs did, from their journals, for Prometheus."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from contracts.actor_kind import ActorKind
from contracts.event import (
    AnswerGenerated,
    Outcome,
    RunStarted,
    StepEvent,
    StepFailed,
)
from contracts.generation import GenerationResult
from contracts.journal_entry import JournalEntry
from contracts.run_steps import RunHistory, Visit, stored_ns, to_ns

# Runs that never end must not be kept for ever.
MAX_RUNS: Final = 20_000
_NS_PER_S: Final = 1e9
_DIRECT: Final = frozenset({f"{ActorKind.MONITOR}/1", f"{ActorKind.EXECUTOR}/1"})

# From a step within one process to a model that is loaded first, in seconds.
_BUCKETS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


class RunMetrics:
    """Hears every event from when :meth:`listen` is called, and counts each run once it is over.

    Times are seconds and sizes bytes, as Prometheus wants them. Labels have few values: kinds of
    actor, models, error codes.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._journals: dict[str, list[JournalEntry]] = {}
        self._forget: Callable[[], None] | None = None
        self._runs = Counter(
            "promptbus_runs", "Runs that are over.", ["outcome"], registry=registry
        )
        self._run_s = _histogram(registry, "promptbus_run_duration_seconds", "outcome")
        self._run_queue_s = _histogram(registry, "promptbus_run_queue_seconds", "priority")
        self._step_queue_s = _histogram(registry, "promptbus_step_queue_seconds", "actor")
        self._step_s = _histogram(registry, "promptbus_step_duration_seconds", "actor")
        self._failures = Counter(
            "promptbus_step_failures",
            "Steps that ended without a result.",
            ["actor", "error"],
            registry=registry,
        )
        self._retries = Counter(
            "promptbus_generation_retries",
            "Attempts at an answer beyond a run's first.",
            registry=registry,
        )
        self._redeliveries = Counter(
            "promptbus_step_redeliveries",
            "Times a task was handed out again, because its actor died or failed.",
            ["actor"],
            registry=registry,
        )
        self._tokens = Counter(
            "promptbus_tokens", "Tokens read and written.", ["model", "type"], registry=registry
        )
        self._fallbacks = Counter(
            "promptbus_fallbacks",
            "Answers of another model than the one asked for.",
            ["model"],
            registry=registry,
        )
        self._load_s = _histogram(registry, "promptbus_model_load_seconds", "model")
        self._first_token_s = _histogram(registry, "promptbus_first_token_seconds", "model")
        self._decode_s = _histogram(registry, "promptbus_decode_seconds", "model")

    def listen(self, add: Callable[[Callable[[JournalEntry], None]], Callable[[], None]]) -> None:
        """Begin to count; a second call changes nothing."""
        if self._forget is None:
            self._forget = add(self._hear)

    def _hear(self, entry: JournalEntry) -> None:
        run_id = entry.event.run_id
        if run_id not in self._journals and not _is_first(entry):
            # Its beginning was not heard, or it is counted already.
            return
        journal = self._journals.setdefault(run_id, [])
        journal.append(entry)
        if len(self._journals) > MAX_RUNS:
            del self._journals[next(iter(self._journals))]
        history = RunHistory(journal)
        if history.is_over:
            self._journals.pop(run_id, None)
            self._count(history)

    def _count(self, history: RunHistory) -> None:
        begin_ns, end_ns = stored_ns(history.journal[0]), stored_ns(history.journal[-1])
        if isinstance(history.outcome, Outcome):
            self._runs.labels(history.outcome.state).inc()
            self._run_s.labels(history.outcome.state).observe((end_ns - begin_ns) / _NS_PER_S)
        started = history.started
        if started is not None and started.accepted_at is not None:
            queued_s = (begin_ns - to_ns(started.accepted_at)) / _NS_PER_S
            self._run_queue_s.labels(started.priority).observe(max(0.0, queued_s))
        for visit in history.visits():
            self._count_step(visit)

    def _count_step(self, visit: Visit) -> None:
        event = visit.entry.event if visit.entry is not None else None
        if not isinstance(event, StepEvent):
            return
        self._step_queue_s.labels(visit.kind).observe((visit.begun_ns - visit.asked_ns) / _NS_PER_S)
        self._step_s.labels(visit.kind).observe(event.duration_ms / 1000)
        if event.num_delivered > 1:
            self._redeliveries.labels(visit.kind).inc(event.num_delivered - 1)
        if isinstance(event, StepFailed):
            self._failures.labels(visit.kind, event.error.code).inc()
        if visit.kind is ActorKind.EXECUTOR and visit.attempt > 1:
            self._retries.inc()
        if isinstance(event, AnswerGenerated):
            self._count_generation(event.result)

    def _count_generation(self, result: GenerationResult) -> None:
        self._tokens.labels(result.model, "input").inc(result.usage.prompt_tokens)
        self._tokens.labels(result.model, "output").inc(result.usage.completion_tokens)
        if result.fallback_from is not None:
            self._fallbacks.labels(result.fallback_from).inc()
        if result.load_time_ms > 0:
            self._load_s.labels(result.model).observe(result.load_time_ms / 1000)
        if result.first_token_ms is not None:
            self._first_token_s.labels(result.model).observe(result.first_token_ms / 1000)
            decode_ms = max(0.0, result.total_time_ms - result.first_token_ms)
            self._decode_s.labels(result.model).observe(decode_ms / 1000)


_HELP: Final = {
    "promptbus_run_duration_seconds": "From taking a run up until it is over.",
    "promptbus_run_queue_seconds": "From accepting a prompt until a coordinator takes it up.",
    "promptbus_step_queue_seconds": "From asking for a step until an actor begins with it.",
    "promptbus_step_duration_seconds": "How long an actor worked at a step.",
    "promptbus_model_load_seconds": "How long a generation waited for its model to be loaded.",
    "promptbus_first_token_seconds": "From asking a model until its first token.",
    "promptbus_decode_seconds": "From the first token to the last.",
}


def _histogram(registry: CollectorRegistry, name: str, label: str) -> Histogram:
    return Histogram(name, _HELP[name], [label], registry=registry, buckets=_BUCKETS)


def _is_first(entry: JournalEntry) -> bool:
    """Whether a run can be followed from here: it begins, or is a direct generation."""
    return isinstance(entry.event, RunStarted) or entry.subject.step in _DIRECT
