"""What an actor is: a class whose typed handlers turn one task into one event.

    class Analyzer(Actor):
        kind = ActorKind.ANALYZER

        @handler
        async def analyze(self, task: AnalyzePrompt) -> PromptAnalyzed: ...

The type hint of ``task`` decides which task a handler takes. An actor knows neither the bus nor
its neighbours: the runtime brings it tasks and takes its events away.
"""

import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeVar, get_type_hints

from contracts.actor_kind import ActorKind
from contracts.errors import MalformedMessage, PromptbusError, Unexpected
from contracts.event import StepEvent, StepFailed
from contracts.task import Task
from contracts.waiting import WaitNote

HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[StepEvent]])

_MARK = "_promptbus_handler"


class Step(Protocol):
    """What a handler may use of the step it works on; asked for by a second parameter."""

    @property
    def cancelled(self) -> bool:
        """Whether the run was cancelled; work should end soon."""

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the run is cancelled, at once if it is already."""

    async def emit(self, text: str) -> None:
        """Stream a piece of the answer to whoever listens."""

    async def finish(self) -> None:
        """Say that no more text follows."""

    async def report_wait(self, note: WaitNote) -> None:
        """Tell whoever follows the run what this step waits for."""


def handler(method: HandlerT) -> HandlerT:
    """Mark a method as the handler of the task its hint names."""
    setattr(method, _MARK, True)
    return method


@dataclass(frozen=True, slots=True)
class Handler:
    """A marked method, and whether it wants the step besides the task."""

    name: str
    takes_step: bool


class Actor:
    """Base of all actors; ``async with`` opens and closes what it holds."""

    kind: ClassVar[ActorKind]
    handlers: ClassVar[dict[type[Task], Handler]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        marked = inspect.getmembers(cls, lambda member: getattr(member, _MARK, False))
        cls.handlers = {
            _task_type(cls, method): Handler(name, _takes_step(method)) for name, method in marked
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    async def handle(self, task: Task, step: Step) -> StepEvent:
        """Do one step.

        Returns the event, or :class:`StepFailed` when the actor cannot do it and says so with a
        permanent error. Raises: PromptbusError that is retryable, or any unforeseen exception.
        """
        found = self.handlers.get(type(task))
        if found is None:
            reason = f"{self.kind} takes no {type(task).__name__}"
            raise MalformedMessage(subject=f"tasks.{self.kind}", reason=reason)
        method = getattr(self, found.name)
        started = time.perf_counter()
        try:
            event: StepEvent = await (method(task, step) if found.takes_step else method(task))
        except PromptbusError as exc:
            if exc.retryable:
                raise
            event = failed_step(task, exc)
        elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
        return event.model_copy(
            update={"run_id": task.run_id, "attempt": task.attempt, "duration_ms": elapsed_ms}
        )


def failed_step(task: Task, exc: BaseException) -> StepFailed:
    """The event that stands where the result of ``task`` would."""
    error = exc if isinstance(exc, PromptbusError) else Unexpected(exc)
    return StepFailed(
        run_id=task.run_id, attempt=task.attempt, actor=task.actor, error=error.to_wire()
    )


def _takes_step(method: Callable[..., Any]) -> bool:
    return len(inspect.signature(method).parameters) > len(("self", "task"))


def _task_type(cls: type, method: Callable[..., Any]) -> type[Task]:
    hints = get_type_hints(method)
    hints.pop("return", None)
    task = next(iter(hints.values()), None)
    if not (isinstance(task, type) and issubclass(task, Task)):
        raise TypeError(f"{cls.__name__}.{method.__name__}: hint its first parameter with a Task")
    return task
