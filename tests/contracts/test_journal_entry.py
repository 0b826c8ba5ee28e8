"""An event stands at one place of one journal and nowhere else."""

from dataclasses import replace

import pytest

from contracts.actor_kind import ActorKind
from contracts.event import CancelRequested, Event
from contracts.journal_entry import belongs
from contracts.run_id import new_run_id
from contracts.subjects import CANCEL, OUTCOME, STARTED, RunSubject
from tests.contracts.journals import (
    RUN_ID,
    accepted,
    analyzed,
    answered,
    cancelled_run,
    decided,
    failed,
    failed_run,
    generated,
    journal,
    recalled,
    started,
    summarized,
)

EVENTS: list[Event] = [
    *(started(), CancelRequested(run_id=RUN_ID), recalled(), analyzed(), decided(), generated(2)),
    *(accepted(), summarized(), failed(ActorKind.EXECUTOR, 3), answered(), failed_run()),
    cancelled_run(),
]
PLACES = [
    *(RunSubject(RUN_ID, name) for name in (STARTED, CANCEL, OUTCOME)),
    *(RunSubject(RUN_ID, node, attempt) for node in ActorKind for attempt in (1, 2, 3)),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_belongs_to_one_place_only(event: Event) -> None:
    own = journal(event)[0].subject
    assert [place for place in PLACES if belongs(event, place)] == [own]
    assert not belongs(event, replace(own, run_id=new_run_id()))
