"""Tasks: the messages that ask an actor for one step of one run.

A task is only a wake-up. Losing one or receiving it twice is harmless, because its result is an
event that exists once or not at all.
"""

from typing import ClassVar

from pydantic import Field

from contracts.actor_kind import ActorKind
from contracts.generation import GenerationFields
from contracts.message import Message
from contracts.prompt import ChatMessage, Priority, ResponseFormat, TaskType
from contracts.run_id import RunId
from contracts.subjects import MAX_ATTEMPT


class Task(Message):
    """What every task says: which step of which run.

    ``attempt`` counts from 1 within its node. ``ask`` counts how often the same step was asked
    for; above 1 the step may be done already, so the actor looks before it works.
    """

    actor: ClassVar[ActorKind]

    run_id: RunId
    attempt: int = Field(default=1, ge=1, le=MAX_ATTEMPT)
    ask: int = Field(default=1, ge=1)

    @property
    def step(self) -> str:
        """``<node>/<attempt>``."""
        return f"{self.actor}/{self.attempt}"


class AnalyzePrompt(Task):
    """What kind of prompt is this?"""

    actor: ClassVar[ActorKind] = ActorKind.ANALYZER

    prompt: str


class RecallHistory(Task):
    """Which earlier turns of the session belong in front of this prompt?"""

    actor: ClassVar[ActorKind] = ActorKind.HISTORY

    session_id: str | None = None
    budget_tokens: int = Field(default=1024, ge=0)


class DecideResources(Task):
    """Which model, run how?"""

    actor: ClassVar[ActorKind] = ActorKind.MONITOR

    task_type: TaskType = TaskType.CHAT
    difficulty: str = "medium"
    num_tokens: int = Field(default=0, ge=0)
    model: str | None = None
    strategy: str | None = None
    priority: Priority = Priority.NORMAL
    local_only: bool = False


class GenerateAnswer(Task, GenerationFields):
    """Generate with this model; the executor that holds it takes the task.

    ``num_recalled`` of the messages that are not from the system, the first ones, are recalled
    history: the oldest of them are left out where the model's context is too small.
    """

    actor: ClassVar[ActorKind] = ActorKind.EXECUTOR

    timeout_s: float = Field(default=600.0, gt=0)
    num_recalled: int = Field(default=0, ge=0)


class ValidateOutput(Task):
    """Is this output worth giving to the person?"""

    actor: ClassVar[ActorKind] = ActorKind.VALIDATOR

    prompt: str
    output: str
    finish_reason: str | None = None
    response_format: ResponseFormat | None = None
    task_type: TaskType | None = None
    language: str | None = None


class StepTotals(Message):
    """What one step of a run took."""

    step: str
    duration_ms: float


class SummarizeRun(Task):
    """Title, one line and totals of a run that has its outcome.

    With ``local_only`` no model is asked for them, because it might be remote.
    """

    actor: ClassVar[ActorKind] = ActorKind.SUMMARIZER

    prompt: str
    output: str = ""
    language: str | None = None
    local_only: bool = False
    total_tokens: int = 0
    steps: tuple[StepTotals, ...] = ()
    messages: tuple[ChatMessage, ...] = ()


TASKS: tuple[type[Task], ...] = (
    AnalyzePrompt,
    RecallHistory,
    DecideResources,
    GenerateAnswer,
    ValidateOutput,
    SummarizeRun,
)
