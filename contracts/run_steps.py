"""The steps of a run in the order it went: each with what it followed, and when it was asked for.

The journal says when a step's event was stored and how long its actor worked; when the step was
asked for follows from what the run was waiting for until then. All pure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.actor_kind import ActorKind
from contracts.event import (
    AnswerGenerated,
    CancelRequested,
    Outcome,
    PromptSubmitted,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    StepEvent,
    StepFailed,
)
from contracts.journal_entry import JournalEntry
from contracts.standing import next_steps

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# The two steps side by side at the beginning of every run.
BEGINNING: Final = (ActorKind.ANALYZER, ActorKind.HISTORY)
# What a step may follow; of these it followed the one stored last.
_FOLLOWS: Final[dict[ActorKind, tuple[ActorKind, ...]]] = {
    ActorKind.EXECUTOR: (ActorKind.VALIDATOR, ActorKind.EXECUTOR, ActorKind.MONITOR),
    ActorKind.VALIDATOR: (ActorKind.EXECUTOR,),
    ActorKind.SUMMARIZER: (ActorKind.VALIDATOR, ActorKind.EXECUTOR),
}
_AFTER_BEGINNING: Final = frozenset({ActorKind.MONITOR, ActorKind.EXECUTOR})


@dataclass(frozen=True, slots=True)
class Visit:
    """One step: ``entry`` holds its event, None while there is none.

    ``asked_ns`` is when it could be asked for, in nanoseconds since the epoch; ``after`` names the
    steps it had to wait for.
    """

    kind: ActorKind
    attempt: int
    after: tuple[str, ...]
    asked_ns: int
    entry: JournalEntry | None = None

    @property
    def step(self) -> str:
        """``<node>/<attempt>``."""
        return f"{self.kind}/{self.attempt}"

    @property
    def begun_ns(self) -> int:
        """When its actor began; the stream's times count for more than the actor's clock."""
        return self.asked_ns if self.entry is None else max(self.asked_ns, work_ns(self.entry))


class RunHistory:
    """A journal sorted by what its events are; ``journal`` is in the order of the stream."""

    def __init__(self, journal: Sequence[JournalEntry]) -> None:
        self.journal = journal
        self.claim: JournalEntry | None = None
        self.start: JournalEntry | None = None
        self.end: JournalEntry | None = None
        self.steps: dict[str, JournalEntry] = {}
        for entry in journal:
            match entry.event:
                case PromptSubmitted():
                    self.claim = entry
                case RunStarted():
                    self.start = entry
                case Outcome():
                    self.end = entry
                case StepEvent():
                    self.steps.setdefault(entry.subject.step, entry)

    @property
    def started(self) -> RunStarted | None:
        """The first event of a run that is led."""
        event = self.start.event if self.start is not None else None
        return event if isinstance(event, RunStarted) else None

    @property
    def outcome(self) -> Outcome | None:
        """The final event."""
        event = self.end.event if self.end is not None else None
        return event if isinstance(event, Outcome) else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come: an answer has its summary, a direct one its step."""
        if self.end is not None:
            return not isinstance(self.outcome, RunAnswered) or f"{_SUMMARY}/1" in self.steps
        # A direct generation has no coordinator: it ends with its answer, or where a step fails.
        return self.start is None and any(
            isinstance(entry.event, (AnswerGenerated, StepFailed)) for entry in self.steps.values()
        )

    def visits(self, asked: Collection[str] | None = None) -> list[Visit]:
        """All steps: those with events in their order, then those that have none.

        ``asked`` names what has been asked for, where somebody knows; else that is told by where
        the run stands. Of a run that is over, the journal alone tells it.
        """
        found: list[Visit] = []
        latest: dict[ActorKind, JournalEntry] = {}
        for entry in self.steps.values():
            kind = ActorKind(entry.subject.node)
            found.append(self._visit(kind, entry.subject.attempt, latest, entry))
            latest.pop(kind, None)
            latest[kind] = entry
        if self.is_over:
            open_steps: Collection[str] = self._left_unanswered()
        else:
            open_steps = self.open_steps() if asked is None else asked
        for step in sorted(set(open_steps) - self.steps.keys()):
            node, _, attempt = step.partition("/")
            found.append(self._visit(ActorKind(node), int(attempt), latest, None))
        return found

    def _visit(
        self,
        kind: ActorKind,
        attempt: int,
        latest: dict[ActorKind, JournalEntry],
        entry: JournalEntry | None,
    ) -> Visit:
        sources = _sources(kind, latest)
        asked_ns = max((stored_ns(source) for source in sources), default=None)
        if kind is _SUMMARY and self.end is not None:
            asked_ns = stored_ns(self.end)
        elif asked_ns is None and self.start is not None:
            asked_ns = stored_ns(self.start)
        if asked_ns is None and entry is not None:
            asked_ns = work_ns(entry)
        after = tuple(source.subject.step for source in sources)
        return Visit(kind, attempt, after, asked_ns or 0, entry)

    def open_steps(self) -> tuple[str, ...]:
        """What a run that is not over waits for, as far as its journal tells."""
        if self.start is None:
            return ()
        if self.end is not None:
            return (f"{_SUMMARY}/1",)
        # Whoever works when the run is cancelled does so until its outcome.
        wanted = [one for one in self.journal if not isinstance(one.event, CancelRequested)]
        steps = next_steps(wanted)
        return tuple(one.step for one in steps if one.actor is not ActorKind.COORDINATOR)

    def _left_unanswered(self) -> tuple[str, ...]:
        """What had been asked for when the run ended without its result."""
        if not isinstance(self.outcome, (RunFailed, RunCancelled)) or self.start is None:
            return ()
        step = self.outcome.step
        if step is None:
            return ()
        if step.partition("/")[0] in BEGINNING:
            return tuple(f"{kind}/1" for kind in BEGINNING)
        return (step,)


_SUMMARY: Final = ActorKind.SUMMARIZER


def _sources(kind: ActorKind, latest: dict[ActorKind, JournalEntry]) -> list[JournalEntry]:
    """The steps that led to one of ``kind``; ``latest`` is in the order of storing."""
    for source in reversed(latest):
        if source in _FOLLOWS.get(kind, ()):
            return [latest[source]]
    if kind in _AFTER_BEGINNING:
        return [latest[source] for source in BEGINNING if source in latest]
    return []


def to_ns(moment: datetime) -> int:
    """Nanoseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def stored_ns(entry: JournalEntry) -> int:
    """When the stream stored it, in nanoseconds since the epoch."""
    return to_ns(entry.stored_at)


def work_ns(entry: JournalEntry) -> int:
    """When the actor began with the step that ``entry`` is the event of."""
    worked_ms = entry.event.duration_ms if isinstance(entry.event, StepEvent) else 0.0
    return stored_ns(entry) - round(worked_ms * 1000) * 1000
