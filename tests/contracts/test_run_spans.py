"""The trace of any run: one tree, the journal's steps and no others, nobody's text."""

from hypothesis import given
from hypothesis import strategies as st

from contracts import semconv
from contracts.event import StepEvent
from contracts.journal_entry import JournalEntry
from contracts.run_spans import run_spans
from contracts.run_steps import RunHistory
from contracts.semconv import Role
from contracts.span import Span, span_id_of
from contracts.span_record import encode_spans
from contracts.trace_check import check_trace
from contracts.trace_context import run_span_id
from tests.contracts.journals import RUN_ID, answered, generated, journal, started
from tests.contracts.run_journals import OTHER_RUN, TEXT, led_journals

WITHIN = {Role.WORK, Role.GENERATION, Role.PHASE}


@given(led_journals())
def test_a_trace_is_one_tree(entries: list[JournalEntry]) -> None:
    spans = run_spans(RUN_ID, entries)
    ids = [span.span_id for span in spans]
    assert len(set(ids)) == len(ids)
    assert [span.role for span in spans if not span.parent_id] == [Role.RUN]
    assert {span.parent_id for span in spans if span.parent_id} <= set(ids)
    assert {span.trace_id for span in spans} == {RUN_ID}


@given(led_journals())
def test_every_step_has_its_span_and_every_span_its_step(entries: list[JournalEntry]) -> None:
    spans = run_spans(RUN_ID, entries)
    drawn = {str(span.attributes[semconv.STEP]) for span in spans if span.role == Role.STEP}
    done = {entry.subject.step for entry in entries if isinstance(entry.event, StepEvent)}
    without = [span for span in spans if span.role == Role.STEP and _is_without_event(span)]
    assert done == drawn - {str(span.attributes[semconv.STEP]) for span in without}
    history = RunHistory(entries)
    if history.is_over:
        named = getattr(history.outcome, "step", None)
        assert {span.attributes[semconv.STEP] for span in without} <= {
            named,
            "analyzer/1",
            "history/1",
        }


def _is_without_event(span: Span) -> bool:
    return span.is_open or semconv.UNANSWERED in span.attributes


@given(led_journals())
def test_spans_end_when_the_run_is_over_and_not_before(entries: list[JournalEntry]) -> None:
    spans = run_spans(RUN_ID, entries)
    is_over = RunHistory(entries).is_over
    assert spans[0].is_open is not is_over
    if is_over:
        assert not any(span.is_open for span in spans)
        assert check_trace(RUN_ID, entries, spans) == []


@given(led_journals())
def test_a_part_lies_within_its_whole(entries: list[JournalEntry]) -> None:
    spans = run_spans(RUN_ID, entries)
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        assert span.end_ns is None or span.end_ns >= span.start_ns
        if span.role in WITHIN:
            whole = by_id[span.parent_id]
            assert whole.end_ns is not None and span.end_ns is not None
            assert whole.start_ns <= span.start_ns
            assert span.end_ns <= whole.end_ns


@given(led_journals())
def test_no_text_is_told(entries: list[JournalEntry]) -> None:
    assert TEXT.encode() not in encode_spans(run_spans(RUN_ID, entries))


def test_text_is_told_to_whoever_asks_for_it() -> None:
    entries = journal(started("Capital of France?"), generated(), answered())
    (chat,) = [
        span
        for span in run_spans(RUN_ID, entries, with_content=True)
        if span.role == Role.GENERATION
    ]
    assert "Capital of France?" in str(chat.attributes[semconv.GEN_AI_INPUT_MESSAGES])
    assert "Paris." in str(chat.attributes[semconv.GEN_AI_OUTPUT_MESSAGES])


@given(led_journals())
def test_a_run_points_to_what_it_continues(entries: list[JournalEntry]) -> None:
    root = run_spans(RUN_ID, entries)[0]
    first = RunHistory(entries).started
    assert first is not None
    linked = {(link.trace_id, link.span_id) for link in root.links}
    replayed = (OTHER_RUN, run_span_id(OTHER_RUN))
    assert (replayed in linked) is (first.submitted.replay_of is not None)
    caller = ("ab" * 16, "cd" * 8)
    assert (caller in linked) is (first.traceparent is not None and first.traceparent != "nonsense")


@given(led_journals(), st.data())
def test_the_check_finds_what_is_missing_or_too_much(
    entries: list[JournalEntry], data: st.DataObject
) -> None:
    spans = run_spans(RUN_ID, entries)
    if not RunHistory(entries).is_over:
        return
    left_out = data.draw(st.sampled_from(spans))
    assert check_trace(RUN_ID, entries, [span for span in spans if span != left_out])
    stranger = spans[-1]._replace(span_id=span_id_of(RUN_ID, "executor/99"))
    stranger = stranger._replace(attributes={**stranger.attributes, semconv.ROLE: Role.STEP})
    assert check_trace(RUN_ID, entries, [*spans, stranger])
    other_end = (left_out.end_ns or 0) + 5_000_000_000
    assert check_trace(RUN_ID, entries, [*spans, left_out._replace(end_ns=other_end)])


def test_nothing_is_known_of_a_run_without_journal() -> None:
    assert run_spans(RUN_ID, []) == []
