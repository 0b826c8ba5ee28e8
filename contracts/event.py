"""Events: what happened in a run, written once and never changed.

Every event names its run. Events of a step also name the attempt and how long the actor worked;
``Outcome`` events end the run. The subject says the node, the ``ce-type`` header the class.
"""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from contracts.actor_kind import ActorKind
from contracts.errors import ErrorInfo
from contracts.generation import GenerationResult
from contracts.message import Message
from contracts.prompt import ChatMessage, Priority, SubmitPrompt, TaskType
from contracts.run_id import RunId

RunState = Literal["queued", "running", "answered", "failed", "cancelled"]


class Event(Message):
    """What every event says."""

    run_id: RunId


class PromptSubmitted(Event):
    """A request with an idempotency key claims its run; the digest tells it from others."""

    request_sha256: str


class RunStarted(Event):
    """A coordinator leads this prompt now; the first event of a journal but for a claim.

    ``accepted_at`` is when the prompt was stored in its queue, ``source`` who published it, and
    ``traceparent`` the span it was published in, where that was a span of somebody else's.
    """

    submitted: SubmitPrompt
    priority: Priority = Priority.NORMAL
    trace_id: str | None = None
    accepted_at: datetime | None = None
    source: str = ""
    traceparent: str | None = None


class CancelRequested(Event):
    """Somebody wants the run to end."""

    requested_by: str = "client"
    reason: str = ""


class StepEvent(Event):
    """The one result of one step.

    ``num_delivered`` is how often the task had been handed out when an actor wrote this: 0 where
    nobody took it in time.
    """

    node: ClassVar[ActorKind | None] = None

    attempt: int = 1
    duration_ms: float = 0.0
    num_delivered: int = Field(default=1, ge=0)


class FoundWishes(Message):
    """What the prompt's own text asks for; None where it does not say."""

    answer_language: str | None = None
    max_words: int | None = None
    max_sentences: int | None = None
    response_format: str | None = None
    programming_language: str | None = None
    tone: str | None = None


class PromptAnalyzed(StepEvent):
    """What kind of prompt it is.

    ``language`` is ISO 639-1; where the text has no words to tell it by, it is ``en`` and
    ``language_known`` is false.
    """

    node: ClassVar[ActorKind | None] = ActorKind.ANALYZER

    task_type: TaskType
    language: str
    language_known: bool = True
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)
    num_tokens: int = 0
    difficulty: str = "medium"
    wishes: FoundWishes = FoundWishes()


class HistoryRecalled(StepEvent):
    """The session's earlier turns that fit the budget, oldest first."""

    node: ClassVar[ActorKind | None] = ActorKind.HISTORY

    turns: tuple[ChatMessage, ...] = ()
    num_tokens: int = 0
    num_omitted: int = 0


class ResourcesDecided(StepEvent):
    """The model and strategy that shall answer, and why, in one sentence."""

    node: ClassVar[ActorKind | None] = ActorKind.MONITOR

    model: str
    strategy: str
    reason: str
    host: str | None = None
    fallbacks: tuple[str, ...] = ()


class AnswerGenerated(StepEvent):
    """What the model answered."""

    node: ClassVar[ActorKind | None] = ActorKind.EXECUTOR

    result: GenerationResult


class Finding(Message):
    """One thing the validator noticed."""

    name: str
    detail: str
    penalty: int


class Change(Message):
    """What another attempt should do differently."""

    max_tokens_factor: float | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    instruction: str | None = None
    another_model: bool = False


class OutputValidated(StepEvent):
    """The validator's judgement: ``score`` 0 to 100, and whether to try again."""

    node: ClassVar[ActorKind | None] = ActorKind.VALIDATOR

    score: int = Field(ge=0, le=100)
    verdict: Literal["accept", "retry"]
    findings: tuple[Finding, ...] = ()
    change: Change | None = None


class RunSummarized(StepEvent):
    """Title, one line and totals, for lists of runs."""

    node: ClassVar[ActorKind | None] = ActorKind.SUMMARIZER

    title: str
    summary: str
    total_tokens: int = 0
    total_time_ms: float = 0.0


class StepFailed(StepEvent):
    """The step ended without a result; it stands where the result would."""

    error: ErrorInfo
    actor: ActorKind


class Outcome(Event):
    """The one final event of a run."""

    state: ClassVar[RunState]


class RunAnswered(Outcome):
    """The run has its answer."""

    state: ClassVar[RunState] = "answered"

    output: str
    task_type: TaskType
    score: int
    accepted: bool = True
    num_attempts: int = 1
    result: GenerationResult


class RunFailed(Outcome):
    """The run has no answer and will not get one."""

    state: ClassVar[RunState] = "failed"

    error: ErrorInfo
    step: str | None = None
    stage: str | None = None


class RunCancelled(Outcome):
    """The run was ended on request, at ``step``, ``cancel_ms`` after somebody heard of it.

    ``stage`` says in a word where it was (:class:`contracts.run_stage.RunStage`).
    """

    state: ClassVar[RunState] = "cancelled"

    step: str | None = None
    stage: str | None = None
    cancel_ms: float = 0.0
    reason: str = ""


EVENTS: tuple[type[Event], ...] = (
    PromptSubmitted,
    RunStarted,
    PromptAnalyzed,
    HistoryRecalled,
    ResourcesDecided,
    AnswerGenerated,
    OutputValidated,
    RunSummarized,
    StepFailed,
    CancelRequested,
    RunAnswered,
    RunFailed,
    RunCancelled,
)
