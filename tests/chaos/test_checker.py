"""The checker: whatever is wrong with a history it finds, and nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ErrorInfo
from contracts.event import Event, RunAnswered, RunCancelled, RunFailed, RunStarted
from contracts.generation import GenerationResult
from contracts.journal_entry import JournalEntry
from contracts.prompt import SubmitPrompt, TaskType
from contracts.subjects import RunSubject
from promptbus.chaos.checker import ANOTHER_COORDINATOR, BUS_FELL, Findings, check
from promptbus.chaos.injector import Happened
from promptbus.chaos.load import Submission, Verdict
from promptbus.chaos.plan import Action, Part
from promptbus.chaos.work_log import Begun

BEGAN_S = 1_800_000_000.0
ERROR = ErrorInfo(code="unexpected", message="m", retryable=False)


def run_id(number: int) -> str:
    return f"{number:032x}"


def submitted(number: int, verdict: Verdict = "ok") -> Submission:
    return Submission(
        number, f"prompt {number}", run_id(number), verdict, submitted_at_s=BEGAN_S, num_tries=1
    )


def entry(number: int, step: str, event: Event, after_s: float = 0.1) -> JournalEntry:
    return JournalEntry(
        subject=RunSubject(run_id(number), step),
        event=event,
        sequence=1,
        stored_at=datetime.fromtimestamp(BEGAN_S + after_s, UTC),
        writer="w",
        nonce="n",
    )


def started(number: int, prompt: str | None = None) -> JournalEntry:
    prompt = prompt or f"prompt {number}"
    event = RunStarted(run_id=run_id(number), submitted=SubmitPrompt(prompt=prompt))
    return entry(number, "started", event)


def answered(number: int, output: str | None = None, after_s: float = 0.2) -> JournalEntry:
    output = output or f"prompt {number}"
    result = GenerationResult(
        output=output,
        model="echo",
        strategy="standard",
        provider="echo",
        source="local",
        finish_reason="stop",
    )
    event = RunAnswered(
        run_id=run_id(number), output=output, task_type=TaskType.CHAT, score=1, result=result
    )
    return entry(number, "outcome", event, after_s)


def failed(number: int) -> JournalEntry:
    return entry(number, "outcome", RunFailed(run_id=run_id(number), error=ERROR))


def cancelled(number: int) -> JournalEntry:
    return entry(number, "outcome", RunCancelled(run_id=run_id(number)))


@given(st.lists(st.sampled_from([answered, failed, cancelled]), max_size=20))
def test_one_outcome_of_any_kind_for_each_accepted_prompt_is_well(kinds: list[object]) -> None:
    entries = [
        one
        for number, kind in enumerate(kinds)
        for one in (started(number), kind(number))  # type: ignore[operator]
    ]
    found = check([submitted(number) for number in range(len(kinds))], entries)
    assert found.violations == ()
    assert sum(found.outcomes.values()) == found.num_accepted == len(kinds)


@pytest.mark.parametrize("verdict", ["fail", "unknown"])
def test_what_no_client_was_told_is_accepted_may_have_a_run_or_none(verdict: Verdict) -> None:
    assert check([submitted(1, verdict)], []).violations == ()
    assert check([submitted(1, verdict)], [started(1), answered(1)]).violations == ()


def violated(entries: Sequence[JournalEntry]) -> Findings:
    found = check([submitted(1), submitted(2)], entries)
    assert len(found.violations) == 1, found.violations
    return found


def test_each_kind_of_harm_is_named() -> None:
    good = [started(1), answered(1)]
    assert violated([*good, started(2)]).lost == (run_id(2),)
    assert violated([*good, started(2), failed(2), answered(2)]).double_outcomes == (run_id(2),)
    twice = violated([*good, started(2), started(2), answered(2)])
    assert twice.double_steps == (f"{run_id(2)} started",)
    assert violated([*good, started(2), answered(2, "else")]).wrong_answers == (run_id(2),)
    doubled = [*good, started(2), answered(2), started(3, "prompt 2"), answered(3, "prompt 2")]
    assert violated(doubled).double_runs == (f"{run_id(2)} {run_id(3)}",)


def test_an_interrupted_run_has_recovered_once_its_next_event_is_there() -> None:
    quick, slow = answered(1, after_s=0.4), answered(2, after_s=7.0)
    found = check([submitted(1), submitted(2)], [started(1), quick, started(2), slow])
    assert found.recoveries_s == (6.9,)
    assert found.durations_s == (0.4, 7.0)


def begun(at_s: float, *, delivery: int = 1, ask: int = 1, asker: str = "c1") -> Begun:
    return Begun(at_s, "executor-1", run_id(1), "executor/1", delivery, ask, asker)


def fault(part: Part, target: str, from_s: float) -> Happened:
    return Happened(Action.KILL, part, target, from_s, from_s)


@pytest.mark.parametrize(
    ("again", "happened", "is_alone", "reason"),
    [
        (begun(9, asker="c2"), [], False, ANOTHER_COORDINATOR),
        (begun(9, asker="c2"), [fault(Part.NATS, "nats-1", 5)], False, ANOTHER_COORDINATOR),
        (begun(9, asker="c2"), [fault(Part.NATS, "nats-1", 5)], True, BUS_FELL),
        (
            begun(9, delivery=2),
            [fault(Part.EXECUTOR, "executor-1", 5)],
            False,
            "who worked on it fell or froze",
        ),
        (begun(9, delivery=2), [fault(Part.EXECUTOR, "executor-2", 5)], False, "delivered again"),
        (begun(9, ask=2), [fault(Part.NATS, "nats-1", 5)], False, BUS_FELL),
        (begun(9, ask=2), [], False, "asked again"),
    ],
)
def test_work_that_is_begun_again_has_its_reason(
    again: Begun, happened: list[Happened], is_alone: bool, reason: str
) -> None:
    found = check([], [], [begun(1), again], happened, is_alone=is_alone)
    assert found.repeated == {"executor": {reason: 1}}
    assert bool(found.violations) == (reason == ANOTHER_COORDINATOR)
