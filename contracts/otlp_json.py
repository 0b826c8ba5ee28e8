"""Spans in OTLP's JSON, which is also what Jaeger's ``/api/v3`` answers; pure.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hex, 64-bit integers as
text, attributes as a list of typed values.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from contracts import semconv
from contracts.errors import InvalidInput
from contracts.message import JsonObject
from contracts.span import Attributes, AttributeValue, Span, SpanEvent, SpanKind, SpanLink

SCOPE: Final = "promptbus"
_ERROR: Final = 2


def to_otlp_json(spans: Iterable[Span]) -> JsonObject:
    """``{"resourceSpans": [...]}``: spans by who did them; open ones have no end."""
    by_source: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        by_source.setdefault((span.service, span.host), []).append(span)
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _listed(_resource(service, host))},
                "scopeSpans": [{"scope": {"name": SCOPE}, "spans": [_record(one) for one in some]}],
            }
            for (service, host), some in by_source.items()
        ]
    }


def from_otlp_json(document: Any) -> list[Span]:
    """The spans in an OTLP document, or in an answer of Jaeger's ``/api/v3``.

    Raises: InvalidInput where it is neither.
    """
    try:
        found = document.get("result", document)
        return [
            _span(record, _attributes(group.get("resource", {}).get("attributes", ())))
            for group in found["resourceSpans"]
            for scope in group.get("scopeSpans", ())
            for record in scope.get("spans", ())
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InvalidInput(field="resourceSpans", reason="is not OTLP's JSON of spans") from exc


def _resource(service: str, host: str) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {semconv.SERVICE_NAME: service}
    return {**found, semconv.HOST_NAME: host} if host else found


def _record(span: Span) -> JsonObject:
    record: JsonObject = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "kind": int(span.kind),
        "startTimeUnixNano": str(span.start_ns),
        "attributes": _listed(span.attributes),
        "events": [
            {
                "name": one.name,
                "timeUnixNano": str(one.time_ns),
                "attributes": _listed(one.attributes),
            }
            for one in span.events
        ],
        "links": [{"traceId": one.trace_id, "spanId": one.span_id} for one in span.links],
        "status": {"code": _ERROR, "message": span.error} if span.error else {},
    }
    return record if span.end_ns is None else {**record, "endTimeUnixNano": str(span.end_ns)}


def _listed(attributes: Attributes) -> list[JsonObject]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: AttributeValue) -> JsonObject:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case tuple():
            return {"arrayValue": {"values": [{"stringValue": one} for one in value]}}
        case _:
            return {"stringValue": str(value)}


def _span(record: Mapping[str, Any], resource: Mapping[str, AttributeValue]) -> Span:
    end_ns = int(record.get("endTimeUnixNano") or 0)
    status = record.get("status") or {}
    return Span(
        str(record["traceId"]),
        str(record["spanId"]),
        str(record.get("parentSpanId") or ""),
        str(record["name"]),
        SpanKind(record.get("kind", 0)),
        int(record["startTimeUnixNano"]),
        end_ns or None,
        str(resource.get(semconv.SERVICE_NAME, "")),
        str(resource.get(semconv.HOST_NAME, "")),
        _attributes(record.get("attributes", ())),
        _error(status),
        tuple(
            SpanEvent(
                str(one.get("name", "")),
                int(one["timeUnixNano"]),
                _attributes(one.get("attributes", ())),
            )
            for one in record.get("events", ())
        ),
        tuple(SpanLink(one["traceId"], one["spanId"]) for one in record.get("links", ())),
    )


def _error(status: Mapping[str, Any]) -> str:
    if status.get("code") not in {_ERROR, "STATUS_CODE_ERROR"}:
        return ""
    return str(status.get("message") or "error")


def _attributes(records: Sequence[Mapping[str, Any]]) -> dict[str, AttributeValue]:
    return {str(one["key"]): _plain(one["value"]) for one in records}


def _plain(value: Mapping[str, Any]) -> AttributeValue:
    match value:
        case {"stringValue": str(text)}:
            return text
        case {"boolValue": bool(flag)}:
            return flag
        case {"intValue": (str() | int()) as number}:
            return int(number)
        case {"doubleValue": (int() | float()) as number}:
            return float(number)
        case {"arrayValue": inner}:
            return tuple(str(_plain(one)) for one in (inner or {}).get("values", ()))
    return ""
