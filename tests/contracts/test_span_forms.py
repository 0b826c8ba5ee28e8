"""Spans are the same, and draw the same picture, in whatever form they come."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InvalidInput, MalformedMessage
from contracts.flow import build_flow
from contracts.jaeger_json import from_jaeger_json
from contracts.journal_entry import JournalEntry
from contracts.otlp_json import from_otlp_json, to_otlp_json
from contracts.run_spans import run_spans
from contracts.span import merge_spans
from contracts.span_record import decode_spans, encode_spans
from tests.contracts.jaeger_writer import jaeger_document
from tests.contracts.journals import RUN_ID
from tests.contracts.run_journals import led_journals


@given(led_journals())
def test_a_message_of_spans_holds_what_was_put_in(entries: list[JournalEntry]) -> None:
    spans = run_spans(RUN_ID, entries)
    assert decode_spans(encode_spans(spans)) == spans


@given(led_journals())
def test_otlp_json_and_jaegers_own_new_form_hold_what_was_put_in(
    entries: list[JournalEntry],
) -> None:
    spans = merge_spans(run_spans(RUN_ID, entries))
    document = json.loads(json.dumps(to_otlp_json(spans)))
    assert merge_spans(from_otlp_json(document)) == spans
    assert merge_spans(from_otlp_json({"result": document})) == spans


@given(led_journals())
def test_jaegers_old_form_holds_the_spans_that_have_ended(entries: list[JournalEntry]) -> None:
    spans = merge_spans(span for span in run_spans(RUN_ID, entries) if not span.is_open)
    document = json.loads(json.dumps(jaeger_document(spans)))
    assert merge_spans(from_jaeger_json(document)) == spans


@given(led_journals())
def test_the_picture_is_the_same_from_all_of_them(entries: list[JournalEntry]) -> None:
    spans = run_spans(RUN_ID, entries)
    flow = build_flow(spans)
    assert build_flow(decode_spans(encode_spans(spans))) == flow
    assert build_flow(from_otlp_json(to_otlp_json(spans))) == flow
    ended = [span for span in spans if not span.is_open]
    assert build_flow(from_jaeger_json(jaeger_document(ended))) == build_flow(ended)


@given(led_journals(), st.randoms(use_true_random=False), st.integers(0, 20))
def test_order_and_doubles_change_nothing(
    entries: list[JournalEntry], random: Random, length: int
) -> None:
    spans = run_spans(RUN_ID, entries)
    told = [*spans, *run_spans(RUN_ID, entries[:length], asked=()), *spans]
    before = [span for span in told if span.is_open or span in spans]
    random.shuffle(before)
    assert build_flow(before) == build_flow(spans)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"spans":[{}]}', b'{"spans":[1]}', b"\xff"]
)
def test_what_is_no_message_of_spans_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_spans(payload)


@pytest.mark.parametrize("document", [None, [], {}, {"resourceSpans": 1}, {"resourceSpans": [1]}])
def test_what_is_no_otlp_is_refused(document: object) -> None:
    with pytest.raises(InvalidInput):
        from_otlp_json(document)


@pytest.mark.parametrize("document", [None, [], {}, {"data": [{}]}, {"data": [{"spans": [1]}]}])
def test_what_is_no_answer_of_jaeger_is_refused(document: object) -> None:
    with pytest.raises(InvalidInput):
        from_jaeger_json(document)
