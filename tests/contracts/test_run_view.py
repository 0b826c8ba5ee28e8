"""A run as people see it, from its journal alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.actor_kind import ActorKind
from contracts.event import CancelRequested
from contracts.run_view import RunView, build_run_view
from tests.contracts.journals import (
    BEGIN,
    ERROR,
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
    refused,
    started,
    summarized,
    whole_run,
)


def test_a_run_without_journal_is_queued() -> None:
    assert build_run_view(RUN_ID, []) == RunView(run_id=RUN_ID, state="queued")


def test_an_answered_run_shows_all_that_is_known() -> None:
    view = build_run_view(RUN_ID, whole_run())
    assert (view.state, view.output, view.score, view.accepted) == ("answered", "Paris.", 100, True)
    assert (view.prompt, view.task_type, view.language) == ("Capital of France?", "question", "en")
    assert (view.title, view.summary) == ("Capital of France", "It is Paris.")
    assert view.selected_model == "pocket"
    assert view.execution_metrics["completion_tokens"] == 3
    assert view.execution_metrics["finish_reason"] == "stop"
    assert view.trace_id == "ab" * 16
    assert view.started_at == BEGIN
    assert view.total_time_ms == 60.0
    assert [node.id for node in view.flow.nodes][-1] == "summarizer/1"


def test_an_unfinished_run_is_running_and_shows_what_it_has() -> None:
    view = build_run_view(RUN_ID, journal(started(), analyzed(), decided(), generated()))
    assert (view.state, view.selected_model) == ("running", "pocket")
    assert view.output is None
    assert view.ended_at is None
    assert view.total_time_ms is None


def test_a_run_that_was_tried_again_shows_the_attempt_that_was_answered() -> None:
    events = journal(
        started(),
        analyzed(),
        recalled(),
        decided(),
        generated(1, "small"),
        refused(1),
        generated(2, "large"),
        accepted(2),
        answered(2, "large"),
    )
    view = build_run_view(RUN_ID, events)
    assert (view.state, view.selected_model, view.score) == ("answered", "large", 100)
    assert view.findings == ()


def test_a_failed_run_shows_its_error() -> None:
    view = build_run_view(
        RUN_ID, journal(started(), analyzed(), failed(ActorKind.EXECUTOR), failed_run())
    )
    assert (view.state, view.error, view.output) == ("failed", ERROR, None)


def test_a_cancelled_run_shows_why() -> None:
    request = CancelRequested(run_id=RUN_ID, reason="not needed")
    view = build_run_view(RUN_ID, journal(started(), request, cancelled_run()))
    assert (view.state, view.reason) == ("cancelled", "not needed")


def test_a_prompt_that_was_refused_has_an_outcome_without_a_beginning() -> None:
    view = build_run_view(RUN_ID, journal(failed_run()))
    assert (view.state, view.prompt, view.started_at) == ("failed", "", None)


def test_the_session_is_shown() -> None:
    assert build_run_view(RUN_ID, journal(started(session_id="s1"))).session_id == "s1"


@given(st.integers(0, 8))
def test_any_beginning_of_a_journal_has_a_view_that_travels(length: int) -> None:
    view = build_run_view(RUN_ID, whole_run()[:length])
    assert RunView.model_validate_json(view.encode()) == view


@pytest.mark.parametrize("length", range(1, 7))
def test_a_run_has_an_end_only_with_its_outcome(length: int) -> None:
    assert build_run_view(RUN_ID, whole_run()[:length]).state == "running"


def test_the_summary_changes_nothing_but_title_and_summary() -> None:
    before = build_run_view(RUN_ID, whole_run()[:-1])
    after = build_run_view(RUN_ID, whole_run())
    told = {"title": summarized().title, "summary": summarized().summary, "flow": after.flow}
    assert before.model_copy(update=told) == after
