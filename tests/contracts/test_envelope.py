"""Envelopes: every message survives the way, and readers of other releases understand it."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import (
    CE_ID,
    CE_SOURCE,
    CE_SUBJECT,
    CE_TIME,
    CE_TYPE,
    MESSAGES,
    MSG_ID,
    Envelope,
    decode,
    decode_event,
    encode,
    type_name,
)
from contracts.errors import MalformedMessage
from contracts.event import EVENTS, CancelRequested, Event
from contracts.message import Message
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from contracts.task import AnalyzePrompt, Task
from tests.contracts.samples import samples

thorough = settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
classes = pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: str(cls.__name__))


@classes
@given(data=st.data())
@thorough
def test_a_message_arrives_as_it_was_sent(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(samples(cls))
    headers, payload = encode(Envelope(message, "id-1", "tests", "some.subject"))
    assert decode(cls, "some.subject", payload) == message
    assert headers[CE_TYPE] == f"promptbus.{cls.__name__}" == type_name(cls)


@classes
@given(data=st.data())
@thorough
def test_an_older_reader_ignores_what_a_newer_writer_adds(
    cls: type[Message], data: st.DataObject
) -> None:
    message = data.draw(samples(cls))
    extended = {**json.loads(message.encode()), "added_later": {"a": [1, None]}}
    assert decode(cls, "s", json.dumps(extended).encode()) == message


@classes
@given(data=st.data())
@thorough
def test_a_newer_reader_understands_a_writer_that_knew_required_fields_only(
    cls: type[Message], data: st.DataObject
) -> None:
    message = data.draw(samples(cls))
    required = {name for name, info in cls.model_fields.items() if info.is_required()}
    kept = {name: value for name, value in json.loads(message.encode()).items() if name in required}
    if cls is SubmitPrompt or "messages" in cls.model_fields:
        kept["prompt"] = "a question"
    old = decode(cls, "s", json.dumps(kept).encode())
    assert all(getattr(old, name) == getattr(message, name) for name in required - {"prompt"})


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: str(cls.__name__))
@given(data=st.data())
@thorough
def test_an_event_is_decoded_as_the_class_its_type_names(
    cls: type[Event], data: st.DataObject
) -> None:
    event = data.draw(samples(cls))
    headers, payload = encode(Envelope(event, "id-1", "tests", "s"))
    assert decode_event("s", headers, payload) == event


def test_the_headers_are_cloudevents_and_carry_the_id_for_deduplication() -> None:
    event = CancelRequested(run_id=new_run_id())
    carried = {"traceparent": "00-1-2-01", CE_ID: "forged"}
    headers, payload = encode(Envelope(event, "id-1", "tests/1", "runs.x.cancel", carried))
    assert headers["ce-specversion"] == "1.0"
    assert headers[CE_ID] == headers[MSG_ID] == "id-1"
    assert (headers[CE_SOURCE], headers[CE_SUBJECT]) == ("tests/1", "runs.x.cancel")
    assert headers[CE_TIME].endswith("+00:00")
    assert headers["traceparent"] == "00-1-2-01"
    assert json.loads(payload)["run_id"] == event.run_id


@pytest.mark.parametrize(
    "headers", [None, {}, {CE_TYPE: "promptbus.Nonsense"}, {CE_TYPE: type_name(AnalyzePrompt)}]
)
def test_what_names_no_event_is_refused(headers: dict[str, str] | None) -> None:
    with pytest.raises(MalformedMessage, match="unknown event type"):
        decode_event("runs.x", headers, b"{}")


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b'"text"', "body"),
        (b"[" * 100_000, "body"),
        (b"{}", "run_id"),
        (b'{"run_id":"SECRET","prompt":"p"}', "run_id"),
        (b'{"run_id":"%s"}' % (b"0" * 32), "prompt"),
        (b'{"run_id":"%s","prompt":5}' % (b"0" * 32), "prompt"),
        (b'{"run_id":"%s","prompt":"\\ud800"}' % (b"0" * 32), "body"),
        (b'{"run_id":"%s","prompt":"p","attempt":0}' % (b"0" * 32), "attempt"),
        (b'{"run_id":"%s","prompt":"p","attempt":"SECRET"}' % (b"0" * 32), "attempt"),
        (b'{"run_id":"%s","prompt":"p","attempt":1e99}' % (b"0" * 32), "attempt"),
        (b'{"run_id":"%s","prompt":"p","attempt":%s}' % (b"0" * 32, b"9" * 4000), "attempt"),
        (b'{"run_id":"%s","prompt":"p","attempt":1000000000000}' % (b"0" * 32), "attempt"),
    ],
)
def test_a_malformed_message_is_refused_naming_the_field_and_never_the_content(
    payload: bytes, field: str
) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode(AnalyzePrompt, "tasks.analyzer", payload)
    assert caught.value.field == field
    assert "SECRET" not in str(caught.value.to_wire())


@given(st.binary(max_size=200))
@thorough
def test_any_bytes_are_a_message_or_refused(payload: bytes) -> None:
    try:
        message = decode(SubmitPrompt, "prompts.normal", payload)
    except MalformedMessage:
        return
    assert message.text


def test_every_actor_has_one_task() -> None:
    tasks = [cls for cls in MESSAGES if issubclass(cls, Task)]
    assert len({cls.actor for cls in tasks}) == len(tasks)
