"""The way of a run as boxes and arrows."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.actor_kind import ActorKind
from contracts.event import CancelRequested, Event
from contracts.flow import Flow, build_flow
from tests.contracts.journals import (
    RUN_ID,
    accepted,
    analyzed,
    answered,
    decided,
    failed,
    generated,
    journal,
    recalled,
    refused,
    started,
    summarized,
    whole_run,
)


def arrows(flow: Flow) -> set[tuple[str, str]]:
    """The edges as pairs."""
    return {(edge.source, edge.target) for edge in flow.edges}


def test_a_run_goes_through_the_actors_in_order() -> None:
    flow = build_flow(whole_run())
    assert arrows(flow) == {
        ("analyzer/1", "monitor/1"),
        ("history/1", "monitor/1"),
        ("monitor/1", "executor/1"),
        ("executor/1", "validator/1"),
        ("validator/1", "summarizer/1"),
    }
    assert {node.state for node in flow.nodes} == {"done"}
    assert flow.nodes[1].detail == "question, en, 5 tokens"
    assert flow.nodes[1].duration_ms == 1.5


def test_another_attempt_follows_the_judgement_that_asked_for_it() -> None:
    flow = build_flow(
        journal(
            started(),
            analyzed(),
            recalled(),
            decided(),
            generated(1),
            refused(1),
            generated(2),
            accepted(2),
            answered(2),
            summarized(),
        )
    )
    assert {
        ("executor/1", "validator/1"),
        ("validator/1", "executor/2"),
        ("executor/2", "validator/2"),
        ("validator/2", "summarizer/1"),
    } <= arrows(flow)
    assert ("monitor/1", "executor/2") not in arrows(flow)


def test_a_generation_after_a_failed_one_is_connected() -> None:
    flow = build_flow(
        journal(analyzed(), decided(), failed(ActorKind.EXECUTOR), generated(2), accepted(2))
    )
    assert [node.state for node in flow.nodes] == ["done", "done", "failed", "done", "done"]
    assert ("executor/1", "executor/2") in arrows(flow)
    assert ("executor/2", "validator/2") in arrows(flow)
    assert flow.nodes[2].detail == "provider local: out of memory"


def test_without_a_monitor_the_analysis_leads_to_the_executor() -> None:
    flow = build_flow(journal(started(), analyzed(), recalled(), generated()))
    assert arrows(flow) == {("analyzer/1", "executor/1"), ("history/1", "executor/1")}


def test_the_summary_of_a_run_whose_last_attempt_failed_follows_that_attempt() -> None:
    flow = build_flow(
        journal(
            analyzed(),
            decided(),
            generated(1),
            refused(1),
            failed(ActorKind.EXECUTOR, 2),
            answered(2),
            summarized(),
        )
    )
    assert ("executor/2", "summarizer/1") in arrows(flow)


def test_events_of_the_run_itself_are_no_boxes() -> None:
    assert build_flow(journal(started(), CancelRequested(run_id=RUN_ID), answered())) == Flow()


EVENTS: list[Event] = [
    *(analyzed(), recalled(), decided(), generated(1), refused(1), generated(2), accepted(2)),
    *(failed(ActorKind.EXECUTOR, 3), failed(ActorKind.VALIDATOR, 1), summarized(), answered()),
]


@given(st.permutations(EVENTS), st.integers(0, len(EVENTS)))
def test_every_arrow_leads_from_an_earlier_box_to_a_later_one(
    events: list[Event], length: int
) -> None:
    flow = build_flow(journal(*events[:length]))
    order = [node.id for node in flow.nodes]
    for source, target in arrows(flow):
        assert source in order
        assert order.index(source) < len(order) - 1 - order[::-1].index(target)
