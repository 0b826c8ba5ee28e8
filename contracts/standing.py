"""Where a run without outcome stands, since when and why, in one sentence; pure.

It is told from what lies on the bus alone: the journal, who is present, and the queues. So it is
true as well where nobody leads the run, which is when it is wanted most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import (
    AnswerGenerated,
    CancelRequested,
    Event,
    OutputValidated,
    PromptAnalyzed,
    PromptSubmitted,
    ResourcesDecided,
    RunStarted,
    StepFailed,
)
from contracts.journal_entry import JournalEntry
from contracts.prompt import Priority, SubmitPrompt
from contracts.wait_reason import ModelFacts, QueueState, WaitingAsk, explain
from contracts.waiting import WaitNote

COORDINATOR = str(ActorKind.COORDINATOR)


@dataclass(frozen=True, slots=True)
class NextStep:
    """What the journal says comes next: ``step`` is the coordinator's own where it is none's.

    ``model`` is that of a generation, "" where none is chosen.
    """

    step: str
    model: str = ""
    priority: Priority = Priority.NORMAL

    @property
    def actor(self) -> ActorKind:
        """Whose turn it is."""
        return ActorKind(self.step.partition("/")[0])


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies around a run: ``num_present`` processes of each kind, and the queue of its turn.

    ``is_queued`` tells whether its prompt lies in PROMPTS, ``note`` what was last told of a
    generation, ``model`` the facts of the model that comes next.
    """

    num_present: Mapping[ActorKind, int] = field(default_factory=dict)
    is_queued: bool = True
    queue: QueueState = field(default_factory=QueueState)
    note: WaitNote | None = None
    model: ModelFacts | None = None


def next_steps(journal: Sequence[JournalEntry]) -> tuple[NextStep, ...]:
    """The steps that a run without outcome waits for; more than one at its beginning only."""
    found = {entry.subject.step: entry.event for entry in journal}
    started = found.get(subjects.STARTED)
    if not isinstance(started, RunStarted) or subjects.CANCEL in found:
        return (NextStep(COORDINATOR),)
    beginning = [f"{kind}/1" for kind in (ActorKind.ANALYZER, ActorKind.HISTORY)]
    missing = tuple(NextStep(step) for step in beginning if step not in found)
    if missing:
        return missing
    if isinstance(found[beginning[0]], StepFailed):
        return (NextStep(COORDINATOR),)
    submitted, priority = started.submitted, started.priority
    decided = found.get(f"{ActorKind.MONITOR}/1")
    attempt = _latest_attempt(found)
    is_named = submitted.model is not None and submitted.strategy is not None
    if attempt == 0 and decided is None and not is_named:
        return (NextStep(f"{ActorKind.MONITOR}/1", submitted.model or "", priority),)
    if isinstance(decided, StepFailed):
        return (NextStep(COORDINATOR),)
    model = submitted.model or (decided.model if isinstance(decided, ResourcesDecided) else "")
    return (_after_attempt(found, attempt, model, submitted, priority),)


def describe_standing(
    journal: Sequence[JournalEntry], last_age_s: float | None, around: Surroundings
) -> str:
    """``analyzed 41 s ago; no executor holds qwen3-4b; gpu-2 could, busy until about …``.

    ``last_age_s`` is how long ago the last event was stored, by the server's clock.
    """
    age = f" {last_age_s:.0f} s ago" if last_age_s is not None else ""
    what = _what_happened(journal)
    waiting = next_steps(journal)
    return f"{what}{age if journal else ''}; {_reason(journal, waiting, around, last_age_s or 0.0)}"


def _latest_attempt(found: Mapping[str, Event]) -> int:
    numbers = [step.partition("/") for step in found]
    attempts = [int(number) for actor, _, number in numbers if actor == ActorKind.EXECUTOR]
    return max(attempts, default=0)


def _after_attempt(
    found: Mapping[str, Event],
    attempt: int,
    model: str,
    submitted: SubmitPrompt,
    priority: Priority,
) -> NextStep:
    generated = found.get(f"{ActorKind.EXECUTOR}/{attempt}")
    judged = found.get(f"{ActorKind.VALIDATOR}/{attempt}")
    again = NextStep(f"{ActorKind.EXECUTOR}/{attempt + 1}", model, priority)
    is_last = submitted.max_attempts is not None and attempt >= submitted.max_attempts
    if attempt == 0:
        return again
    if isinstance(generated, AnswerGenerated) and judged is None:
        return NextStep(f"{ActorKind.VALIDATOR}/{attempt}", model, priority)
    is_failed = isinstance(generated, StepFailed) and generated.error.retryable
    wants_another = isinstance(judged, OutputValidated) and judged.verdict == "retry"
    return again if (is_failed or wants_another) and not is_last else NextStep(COORDINATOR)


def _what_happened(journal: Sequence[JournalEntry]) -> str:
    """The last event in a word or two."""
    if not journal:
        return "accepted"
    entry = max(journal, key=lambda one: one.sequence)
    event, attempt = entry.event, entry.subject.attempt
    if type(event) in _WORDS:
        return _WORDS[type(event)]
    match event:
        case ResourcesDecided(model=model):
            return f"given to {model}"
        case AnswerGenerated():
            return "answered" if attempt == 1 else f"answered for the {attempt}. time"
        case OutputValidated(verdict=verdict):
            return f"{'sent back' if verdict == 'retry' else 'accepted'} by the validator"
        case StepFailed():
            return f"failed at {entry.subject.step}"
    return f"{entry.subject.step} done"


_WORDS: dict[type[Event], str] = {
    PromptSubmitted: "submitted",
    RunStarted: "taken up",
    CancelRequested: "asked to end",
    PromptAnalyzed: "analyzed",
}


def _reason(
    journal: Sequence[JournalEntry],
    waiting: Sequence[NextStep],
    around: Surroundings,
    waited_s: float,
) -> str:
    if not around.num_present.get(ActorKind.COORDINATOR):
        return "no coordinator is present to lead it"
    absent = [step.actor for step in waiting if not around.num_present.get(step.actor)]
    turn = waiting[0]
    if turn.actor is ActorKind.COORDINATOR:
        return _at_the_coordinator(journal, around)
    if turn.actor in {ActorKind.EXECUTOR, ActorKind.MONITOR}:
        told = _at_the_model(turn, around, waited_s)
        if told is not None:
            return told
    if absent:
        return f"no {absent[0]} is present"
    if around.queue.num_pending:
        return f"{around.queue.num_pending} tasks wait for the {turn.actor}"
    return f"{_article(turn.actor)} {turn.actor} works on it"


def _at_the_coordinator(journal: Sequence[JournalEntry], around: Surroundings) -> str:
    if not around.is_queued:
        if all(isinstance(entry.event, PromptSubmitted) for entry in journal):
            return "its prompt is not in the queue; send the request again"
        # One that was published without its run id lies there all the same.
        return "no prompt lies in the queue under its id; nobody may be leading it"
    if journal:
        return "a coordinator is about to go on with it"
    if around.queue.num_pending:
        return f"{around.queue.num_pending} prompts wait in its queue for a coordinator"
    return "a coordinator is about to take it up"


def _at_the_model(turn: NextStep, around: Surroundings, waited_s: float) -> str | None:
    """Why no executor works on it; None where one does."""
    if around.note is not None:
        return around.note.message
    if around.model is None:
        return None
    is_placed = turn.actor is ActorKind.EXECUTOR
    note = explain(WaitingAsk(turn.priority, waited_s, is_placed=is_placed), around.model)
    return note.message if note is not None else None


def _article(actor: ActorKind) -> str:
    return "an" if actor[0] in "aeiou" else "a"
