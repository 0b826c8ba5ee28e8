"""What earlier releases stored is read by this one, to the same end."""

import pytest

from contracts.event import CancelRequested, Outcome, StepEvent
from contracts.run_view import build_run_view
from contracts.standing import next_steps
from tests.contracts.stored_journals import NAMES, stored_journal, stored_messages

ENDS = {
    "answered": ("answered", "The capital of France is Paris."),
    "retried": ("answered", "The capital of France is Paris."),
    "failed": ("failed", None),
    "cancelled": ("cancelled", None),
    "direct": ("answered", None),
}


def test_there_are_journals_of_every_end() -> None:
    assert {name.partition("/")[2] for name in NAMES} == set(ENDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_journal_is_read_whole_and_ends_as_it_did(name: str) -> None:
    journal = stored_journal(name)
    assert len(journal) == len(stored_messages(name))
    view = build_run_view(journal[0].event.run_id, journal)
    assert (view.state, view.output) == ENDS[name.partition("/")[2]]
    drawn = {node.id for node in view.flow.nodes if node.state in {"done", "failed"}}
    assert drawn >= {one.subject.step for one in journal if isinstance(one.event, StepEvent)}


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("direct")])
def test_what_came_next_then_comes_next_now(name: str) -> None:
    journal = stored_journal(name)
    for number in range(1, len(journal)):
        before, event = journal[:number], journal[number].event
        if isinstance(event, Outcome | CancelRequested):
            continue
        if any(isinstance(one.event, Outcome) for one in before):
            assert journal[number].subject.step == "summarizer/1"
            continue
        expected = {one.step for one in next_steps(before)}
        assert journal[number].subject.step in expected
