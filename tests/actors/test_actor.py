"""What an actor is: a class whose hints say which tasks its handlers take."""

from typing import Any, ClassVar

import pytest

from actors.actor import Actor, Handler, Step, failed_step, handler
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput, MalformedMessage, ProviderFailed
from contracts.event import PromptAnalyzed, StepEvent, StepFailed
from contracts.prompt import TaskType
from contracts.run_id import new_run_id
from contracts.task import AnalyzePrompt, RecallHistory, Task, ValidateOutput
from contracts.waiting import WaitNote

RUN_ID = new_run_id()


class Bystander:
    """A step that nobody cancels and nobody listens to."""

    cancelled = False

    def on_cancel(self, callback: Any) -> None:
        """Nothing ever calls it."""

    async def emit(self, text: str) -> None:
        """Nobody listens."""

    async def finish(self) -> None:
        """Nobody listens."""

    async def report_wait(self, note: WaitNote) -> None:
        """Nobody listens."""


class Twofold(Actor):
    """Takes two kinds of tasks."""

    kind: ClassVar[ActorKind] = ActorKind.ANALYZER

    @handler
    async def analyze(self, task: AnalyzePrompt) -> StepEvent:
        """Fails on request."""
        match task.prompt:
            case "permanent":
                raise InvalidInput(field="prompt", reason="no")
            case "retryable":
                raise ProviderFailed(provider="local", reason="busy")
            case "unforeseen":
                raise ZeroDivisionError
        return PromptAnalyzed(run_id="f" * 32, task_type=TaskType.CHAT, language="en")

    @handler
    async def recall(self, task: RecallHistory, step: Step) -> StepEvent:
        """Sees its step."""
        assert isinstance(step, Bystander)
        return PromptAnalyzed(run_id=task.run_id, task_type=TaskType.CODE, language="en")

    async def not_marked(self, task: ValidateOutput) -> StepEvent:
        """No handler."""
        raise NotImplementedError


def test_handlers_are_found_by_their_hints() -> None:
    assert Twofold.handlers == {
        AnalyzePrompt: Handler("analyze", takes_step=False),
        RecallHistory: Handler("recall", takes_step=True),
    }


def test_a_handler_without_a_task_in_its_hints_is_refused_when_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"Vague\.handle_any"):

        class Vague(Actor):
            """Says not what it takes."""

            @handler
            async def handle_any(self, task: object) -> StepEvent:
                """Nothing."""
                raise NotImplementedError


async def test_an_event_says_of_which_step_it_is_and_how_long_it_took() -> None:
    task = AnalyzePrompt(run_id=RUN_ID, attempt=3, prompt="hi")
    event = await Twofold().handle(task, Bystander())
    assert (event.run_id, event.attempt) == (RUN_ID, 3)
    assert event.duration_ms >= 0


async def test_a_handler_that_wants_its_step_gets_it() -> None:
    event = await Twofold().handle(RecallHistory(run_id=RUN_ID), Bystander())
    assert isinstance(event, PromptAnalyzed)
    assert event.task_type is TaskType.CODE


async def test_a_permanent_fault_is_an_event() -> None:
    task = AnalyzePrompt(run_id=RUN_ID, attempt=2, prompt="permanent")
    event = await Twofold().handle(task, Bystander())
    assert isinstance(event, StepFailed)
    assert (event.actor, event.attempt, event.run_id) == (ActorKind.ANALYZER, 2, RUN_ID)
    assert (event.error.code, event.error.field) == ("invalid_input", "prompt")


@pytest.mark.parametrize(
    ("prompt", "error"), [("retryable", ProviderFailed), ("unforeseen", ZeroDivisionError)]
)
async def test_other_faults_are_raised_for_whoever_serves_the_actor(
    prompt: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await Twofold().handle(AnalyzePrompt(run_id=RUN_ID, prompt=prompt), Bystander())


@pytest.mark.parametrize("task", [ValidateOutput(run_id=RUN_ID, prompt="p", output="o")])
async def test_a_task_of_another_actor_is_not_taken(task: Task) -> None:
    with pytest.raises(MalformedMessage, match="analyzer takes no ValidateOutput"):
        await Twofold().handle(task, Bystander())


def test_an_unforeseen_exception_travels_without_its_traceback() -> None:
    task = AnalyzePrompt(run_id=RUN_ID, prompt="secret")
    failed = failed_step(task, KeyError("x" * 5000))
    assert (failed.error.code, failed.error.retryable) == ("unexpected", True)
    assert len(failed.error.message) <= 500
    assert "secret" not in failed.model_dump_json()
