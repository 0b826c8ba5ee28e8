"""Where a dead letter goes when it is replayed; pure.

A step that still waits for its task gets that task back. What has ended stays as it ended, because
a journal is written once: then a new run begins that names the old one in ``replay_of``. The new
run's id follows from the letter, so a replay that is repeated leads to the same run.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.dead_letter import DeadLetter
from contracts.envelope import MessageT, decode
from contracts.errors import InvalidInput, MalformedMessage
from contracts.event import Event, Outcome, RunStarted
from contracts.journal_entry import JournalEntry
from contracts.message import Message
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import derive_run_id
from contracts.task import TASKS, GenerateAnswer, Task

_TASK_OF = {task.actor: task for task in TASKS}
_EDIT = "give one that is: promptbus dead edit"


@dataclass(frozen=True, slots=True)
class Replay:
    """A message to publish, and the run it leads to."""

    subject: str
    message: Message
    message_id: str
    run_id: str


def plan_replay(
    letter_id: int,
    buried_at: datetime,
    letter: DeadLetter,
    edited: str | None,
    journal: Sequence[JournalEntry],
) -> Replay:
    """What a replay of ``letter`` sends, with the payload ``edited`` in its place where given.

    ``journal`` is that of the letter's run, empty where it names none.

    Raises: InvalidInput where the payload is not what belongs there.
    """
    if edited is None and not letter.is_whole:
        raise InvalidInput(field="payload", reason="was cut or is no text", cure=_EDIT)
    payload = letter.payload if edited is None else edited
    new_run_id = derive_run_id(int(buried_at.timestamp() * 1000), "replay", str(letter_id))
    if letter.subject.startswith("prompts."):
        prompt = _read(SubmitPrompt, letter.subject, payload, is_edited=edited is not None)
        return _as_run(prompt, _priority_of(letter.subject), letter.run_id, new_run_id)
    kind = _kind_of(letter.subject)
    found = {entry.subject.step: entry.event for entry in journal}
    ended = any(isinstance(event, Outcome) for event in found.values())
    started = found.get(subjects.STARTED)
    if isinstance(started, RunStarted) and (ended or _has_step(found, kind, letter.payload)):
        prompt = started.submitted
        if edited is not None:
            prompt = _read(SubmitPrompt, subjects.prompts(started.priority), edited, is_edited=True)
        return _as_run(prompt, started.priority, started.run_id, new_run_id)
    task = _read(_TASK_OF[kind], letter.subject, payload, is_edited=edited is not None)
    if task.step not in found and not ended:
        again = task.model_copy(update={"ask": task.ask + 1})
        return Replay(_subject_of(again), again, f"replay/{letter_id}", task.run_id)
    if isinstance(task, GenerateAnswer):
        fresh = task.model_copy(update={"run_id": new_run_id, "attempt": 1, "ask": 1})
        return Replay(_subject_of(fresh), fresh, f"{new_run_id}/{fresh.step}/1", new_run_id)
    raise InvalidInput(
        field="letter", reason="what it belonged to is over", cure="send the request again"
    )


def _as_run(
    prompt: SubmitPrompt, priority: Priority, old_run_id: str | None, run_id: str
) -> Replay:
    again = prompt.model_copy(update={"run_id": run_id, "replay_of": old_run_id})
    return Replay(subjects.prompts(priority, run_id), again, run_id, run_id)


def _priority_of(subject: str) -> Priority:
    try:
        return Priority(subject.split(".")[1])
    except ValueError as exc:
        raise InvalidInput(field="subject", reason="is no queue of prompts") from exc


def _has_step(found: Mapping[str, Event], kind: ActorKind, payload: str) -> bool:
    """Whether the step that the letter asks for has its event; one nobody can name counts."""
    try:
        return decode(_TASK_OF[kind], "payload", payload.encode()).step in found
    except MalformedMessage:
        return True


def _kind_of(subject: str) -> ActorKind:
    head, _, rest = subject.partition(".")
    name = rest.partition(".")[0]
    if head == "tasks" and name in _TASK_OF:
        return ActorKind(name)
    raise InvalidInput(field="subject", reason="is none that a letter can go back to")


def _subject_of(task: Task) -> str:
    if isinstance(task, GenerateAnswer):
        return subjects.executor_tasks(task.model, task.priority)
    return subjects.tasks(task.actor)


def _read(cls: type[MessageT], subject: str, payload: str, *, is_edited: bool) -> MessageT:
    """The payload as ``cls``; an edited one may not have fields that nobody would read."""
    try:
        message = decode(cls, subject, payload.encode())
    except MalformedMessage as exc:
        _, _, reason = exc.reason.partition(": ")
        raise InvalidInput(field=exc.field or "payload", reason=reason, cure=_EDIT) from exc
    except UnicodeEncodeError as exc:
        raise InvalidInput(field="payload", reason="is not valid Unicode", cure=_EDIT) from exc
    unknown = json.loads(payload).keys() - cls.model_fields.keys() if is_edited else ()
    if unknown:
        raise InvalidInput(field=min(unknown)[:80], reason=f"is no field of {cls.__name__}")
    return message
