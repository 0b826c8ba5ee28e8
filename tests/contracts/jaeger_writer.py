"""Writes spans as Jaeger answers them on ``/api/traces``, as its documentation shows the shape."""

import json
from collections.abc import Sequence
from typing import Any

from contracts.span import AttributeValue, Span, SpanKind

TYPES = {bool: "bool", int: "int64", float: "float64"}


def jaeger_document(spans: Sequence[Span]) -> dict[str, Any]:
    """What ``/api/traces/<id>`` answers."""
    sources = sorted({(span.service, span.host) for span in spans})
    processes = {
        f"p{number + 1}": {
            "serviceName": service,
            "tags": [{"key": "host.name", "type": "string", "value": host}] if host else [],
        }
        for number, (service, host) in enumerate(sources)
    }
    records = [_record(span, f"p{sources.index((span.service, span.host)) + 1}") for span in spans]
    trace_id = spans[0].trace_id if spans else ""
    trace = {"traceID": trace_id, "spans": records, "processes": processes, "warnings": None}
    return {"data": [trace] if spans else [], "total": 0, "limit": 0, "errors": None}


def _record(span: Span, process: str) -> dict[str, Any]:
    assert span.end_ns is not None
    references = [
        {"refType": "CHILD_OF", "traceID": span.trace_id, "spanID": span.parent_id}
    ] * bool(span.parent_id)
    references += [
        {"refType": "FOLLOWS_FROM", "traceID": link.trace_id, "spanID": link.span_id}
        for link in span.links
    ]
    tags = [_tag(name, value) for name, value in span.attributes.items()]
    tags.append(_tag("otel.scope.name", "promptbus"))
    if span.kind is not SpanKind.UNSPECIFIED:
        tags.append(_tag("span.kind", span.kind.name.lower()))
    if span.error:
        tags += [_tag("error", value=True), _tag("otel.status_code", "ERROR")]
        tags.append(_tag("otel.status_description", span.error))
    return {
        "traceID": span.trace_id,
        "spanID": span.span_id,
        "operationName": span.name,
        "references": references,
        "startTime": span.start_ns // 1000,
        "duration": (span.end_ns - span.start_ns) // 1000,
        "tags": tags,
        "logs": [
            {
                "timestamp": one.time_ns // 1000,
                "fields": [
                    _tag("event", one.name),
                    *(_tag(name, value) for name, value in one.attributes.items()),
                ],
            }
            for one in span.events
        ],
        "processID": process,
        "warnings": None,
    }


def _tag(key: str, value: AttributeValue) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {"key": key, "type": "string", "value": json.dumps(value, separators=(",", ":"))}
    return {"key": key, "type": TYPES.get(type(value), "string"), "value": value}
