"""Where a dead letter goes when it is replayed: the same place each time, never into the past."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.actor_kind import ActorKind
from contracts.dead_letter import DeadLetter
from contracts.errors import InvalidInput
from contracts.event import Event, RunFailed, StepFailed
from contracts.prompt import Priority, SubmitPrompt
from contracts.replay import Replay, plan_replay
from contracts.task import TASKS, GenerateAnswer, Task
from tests.contracts.journals import BEGIN, ERROR, RUN_ID, analyzed, journal, started
from tests.contracts.samples import samples

PROMPT = SubmitPrompt(prompt="hi", run_id=RUN_ID)
GENERATE = GenerateAnswer(run_id=RUN_ID, model="m", prompt="hi", priority=Priority.BATCH)
FAILED = StepFailed(run_id=RUN_ID, actor=ActorKind.EXECUTOR, error=ERROR)
OVER = RunFailed(run_id=RUN_ID, error=ERROR)


def letter(subject: str, payload: str, run_id: str | None = RUN_ID) -> DeadLetter:
    """A letter that somebody wrote about that message."""
    return DeadLetter(actor="x", subject=subject, error=ERROR, payload=payload, run_id=run_id)


def plan(found: DeadLetter, *events: Event, edited: str | None = None) -> Replay:
    """The replay, as letter 7."""
    return plan_replay(7, BEGIN, found, edited, journal(*events))


PROMPT_LETTER = letter("prompts.batch", PROMPT.encode().decode())
TASK_LETTER = letter("tasks.executor.m.batch", GENERATE.encode().decode())


def test_a_prompt_begins_a_run_that_names_the_old_one() -> None:
    replay = plan(PROMPT_LETTER, OVER)
    assert isinstance(replay.message, SubmitPrompt)
    assert replay.run_id == replay.message.run_id == replay.message_id != RUN_ID
    assert replay.message.replay_of == RUN_ID
    assert replay.subject == f"prompts.batch.{replay.run_id}"
    assert plan(PROMPT_LETTER) == replay
    other = plan_replay(8, BEGIN, PROMPT_LETTER, None, ())
    assert other.run_id != replay.run_id


@pytest.mark.parametrize(
    ("events", "leads_to"),
    [
        ((started(), analyzed()), "task"),
        ((started(), analyzed(), FAILED), "prompt"),
        ((started(), OVER), "prompt"),
        ((), "task"),
        ((FAILED,), "generation"),
    ],
)
def test_a_task_goes_back_only_where_somebody_waits_for_it(
    events: Sequence[Event], leads_to: str
) -> None:
    replay = plan(TASK_LETTER, *events)
    if leads_to == "prompt":
        assert isinstance(replay.message, SubmitPrompt)
        assert replay.message.replay_of == RUN_ID
    else:
        assert isinstance(replay.message, GenerateAnswer)
        assert replay.subject == "tasks.executor.m.batch"
    assert (replay.run_id == RUN_ID) == (leads_to == "task")


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
def test_any_task_is_replayed_alike_or_refused(task: type[Task], data: st.DataObject) -> None:
    made = data.draw(samples(task))
    subject = f"tasks.{task.actor}" + (".m.batch" if task is GenerateAnswer else "")
    found = letter(subject, made.encode().decode(), made.run_id)
    first = plan_replay(7, BEGIN, found, None, ())
    assert first == plan_replay(7, BEGIN, found, None, ())
    assert first.run_id == made.run_id
    assert isinstance(first.message, task)
    assert first.message.step == made.step


@pytest.mark.parametrize(
    ("found", "edited"),
    [
        (letter("prompts.batch", "junk"), None),
        (letter("prompts.odd", PROMPT.encode().decode()), None),
        (letter("somewhere", "{}"), None),
        (letter("tasks.unknown", "{}"), None),
        (letter("tasks.validator", "{}"), None),
        (PROMPT_LETTER, '{"prompt": "hi", "mood": 1}'),
        (PROMPT_LETTER, "[]"),
        (PROMPT_LETTER.model_copy(update={"is_whole": False}), None),
    ],
)
def test_what_cannot_be_sent_is_refused_by_field(found: DeadLetter, edited: str | None) -> None:
    with pytest.raises(InvalidInput):
        plan(found, edited=edited)


def test_an_edit_may_change_the_model_and_so_the_queue() -> None:
    edited = GENERATE.model_copy(update={"model": "other"}).encode().decode()
    assert plan(TASK_LETTER, started(), edited=edited).subject == "tasks.executor.other.batch"
