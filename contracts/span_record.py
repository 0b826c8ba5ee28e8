"""Spans as they travel on SPANS: OTLP's names, attributes as plain JSON; pure.

Times are nanoseconds since the epoch, ids hex. A span without ``endTimeUnixNano`` is still open.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json, to_json

from contracts.errors import MalformedMessage
from contracts.span import AttributeValue, Span, SpanEvent, SpanKind, SpanLink

_WHERE: Final = "spans"


def encode_spans(spans: Iterable[Span]) -> bytes:
    """One message of SPANS."""
    return to_json({"spans": [_record(span) for span in spans]})


def decode_spans(payload: bytes) -> list[Span]:
    """The spans in one message of SPANS.

    Raises: MalformedMessage for what is none.
    """
    try:
        return [_span(record) for record in from_json(payload)["spans"]]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        reason = f"no spans of ours ({type(exc).__name__})"
        raise MalformedMessage(subject=_WHERE, reason=reason) from exc


def _record(span: Span) -> dict[str, Any]:
    record: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "kind": int(span.kind),
        "startTimeUnixNano": span.start_ns,
        "service": span.service,
        "host": span.host,
        "attributes": span.attributes,
    }
    if span.end_ns is not None:
        record["endTimeUnixNano"] = span.end_ns
    if span.error:
        record["error"] = span.error
    if span.events:
        record["events"] = [
            {"name": one.name, "timeUnixNano": one.time_ns, "attributes": one.attributes}
            for one in span.events
        ]
    if span.links:
        record["links"] = [{"traceId": one.trace_id, "spanId": one.span_id} for one in span.links]
    return record


def _span(record: Mapping[str, Any]) -> Span:
    end_ns = record.get("endTimeUnixNano")
    return Span(
        str(record["traceId"]),
        str(record["spanId"]),
        str(record["parentSpanId"]),
        str(record["name"]),
        SpanKind(record["kind"]),
        int(record["startTimeUnixNano"]),
        None if end_ns is None else int(end_ns),
        str(record.get("service", "")),
        str(record.get("host", "")),
        _attributes(record["attributes"]),
        str(record.get("error", "")),
        _events(record.get("events", ())),
        tuple(SpanLink(str(one["traceId"]), str(one["spanId"])) for one in record.get("links", ())),
    )


def _events(records: Sequence[Mapping[str, Any]]) -> tuple[SpanEvent, ...]:
    return tuple(
        SpanEvent(str(one["name"]), int(one["timeUnixNano"]), _attributes(one["attributes"]))
        for one in records
    )


def _attributes(record: Mapping[str, Any]) -> dict[str, AttributeValue]:
    return {
        name: tuple(map(str, value)) if isinstance(value, list) else value
        for name, value in record.items()
    }
