"""The way of a run as boxes and arrows."""

from collections.abc import Sequence

from hypothesis import given

from contracts.actor_kind import ActorKind
from contracts.event import CancelRequested
from contracts.flow import Flow, FlowNode, build_flow, with_details
from contracts.journal_entry import JournalEntry
from contracts.run_spans import run_spans
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
    refused,
    started,
    summarized,
    whole_run,
)
from tests.contracts.run_journals import led_journals


def flow_of(entries: Sequence[JournalEntry]) -> Flow:
    """The flow that a run's view shows."""
    return with_details(build_flow(run_spans(RUN_ID, entries)), entries)


def arrows(flow: Flow) -> set[tuple[str, str]]:
    """The edges that were gone along, as pairs."""
    return {(edge.source, edge.target) for edge in flow.edges if edge.kind != "declared"}


def box(flow: Flow, name: str) -> FlowNode:
    """The node of that step."""
    return next(node for node in flow.nodes if node.id == name)


def test_a_run_goes_through_the_actors_in_order() -> None:
    flow = flow_of(whole_run())
    assert arrows(flow) == {
        ("analyzer/1", "monitor/1"),
        ("history/1", "monitor/1"),
        ("monitor/1", "executor/1"),
        ("executor/1", "validator/1"),
        ("validator/1", "summarizer/1"),
    }
    assert {node.state for node in flow.nodes} == {"done"}
    assert box(flow, "analyzer/1").detail == "question, en, 5 tokens"
    assert box(flow, "analyzer/1").duration_ms == 1.5


def test_another_attempt_follows_the_judgement_that_asked_for_it() -> None:
    flow = flow_of(
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
    flow = flow_of(
        journal(analyzed(), decided(), failed(ActorKind.EXECUTOR), generated(2), accepted(2))
    )
    assert [node.state for node in flow.nodes] == ["done", "done", "failed", "done", "done"]
    assert [edge.kind for edge in flow.edges if edge.target == "executor/2"] == ["retry"]
    assert ("executor/1", "executor/2") in arrows(flow)
    assert ("executor/2", "validator/2") in arrows(flow)
    assert flow.nodes[2].detail == "provider local: out of memory"


def test_without_a_monitor_the_analysis_leads_to_the_executor() -> None:
    flow = flow_of(journal(started(), analyzed(), recalled(), generated()))
    led = {("analyzer/1", "executor/1"), ("history/1", "executor/1")}
    assert arrows(flow) == led | {("executor/1", "validator/1")}
    assert box(flow, "validator/1").state == "running"


def test_the_summary_of_a_run_whose_last_attempt_failed_follows_that_attempt() -> None:
    flow = flow_of(
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
    flow = flow_of(journal(started(), CancelRequested(run_id=RUN_ID), cancelled_run()))
    assert {node.id for node in flow.nodes if node.is_visited} == {"executor/1"}
    assert box(flow, "executor/1").state == "cancelled"


def test_what_a_run_waits_for_runs_and_the_rest_of_its_way_is_pending() -> None:
    flow = flow_of(journal(started(), analyzed()))
    assert {node.id: node.state for node in flow.nodes} == {
        "analyzer/1": "done",
        "history/1": "running",
        "monitor/1": "pending",
        "executor/1": "pending",
        "validator/1": "pending",
        "summarizer/1": "pending",
    }
    declared = {(edge.source, edge.target) for edge in flow.edges if edge.kind == "declared"}
    assert ("history/1", "monitor/1") in declared
    assert ("executor/1", "validator/1") in declared


def test_what_a_run_never_reached_was_skipped() -> None:
    flow = flow_of(journal(started(), analyzed(), recalled(), decided(), failed_run()))
    states = {node.id: node.state for node in flow.nodes}
    assert states["executor/1"] == "failed"
    assert (states["validator/1"], states["summarizer/1"]) == ("skipped", "skipped")


def test_a_box_tells_where_the_time_went() -> None:
    answer = generated()
    times = {
        "queue_time_ms": 1.0,
        "load_time_ms": 2.0,
        "first_token_ms": 5.0,
        "total_time_ms": 9.0,
    }
    result = answer.result.model_copy(update=times)
    answer = answer.model_copy(update={"result": result, "duration_ms": 9.5})
    node = box(flow_of(journal(started(), analyzed(), recalled(), decided(), answer)), "executor/1")
    assert (node.start_ms, node.total_ms, node.duration_ms) == (30.0, 10.0, 9.5)
    assert (node.queue_ms, node.load_ms) == (1.5, 2.0)
    assert (node.prefill_ms, node.decode_ms) == (2.0, 4.0)
    assert (node.model, node.prompt_tokens, node.completion_tokens) == ("pocket", 5, 3)


@given(led_journals())
def test_every_arrow_leads_from_an_earlier_box_to_a_later_one(entries: list[JournalEntry]) -> None:
    flow = flow_of(entries)
    order = [node.id for node in flow.nodes]
    assert len(set(order)) == len(order)
    for source, target in arrows(flow):
        assert order.index(source) < order.index(target)
    for edge in flow.edges:
        assert {edge.source, edge.target} <= set(order)
