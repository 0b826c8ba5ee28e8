"""Spans in the JSON of Jaeger's own ``/api/traces``; pure.

Times are microseconds, a span's kind and error are tags, arrays are JSON within text. Jaeger keeps
no open spans.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts import semconv
from contracts.errors import InvalidInput
from contracts.span import AttributeValue, Span, SpanEvent, SpanKind, SpanLink

_KIND: Final = "span.kind"
_ERROR: Final = "error"
_STATUS: Final = ("otel.status_code", "otel.status_description")
# What Jaeger adds to the tags of a span.
_ADDED: Final = frozenset({_KIND, _ERROR, *_STATUS, "otel.scope.name", "otel.scope.version"})
_NS_PER_US: Final = 1000


def from_jaeger_json(document: Any) -> list[Span]:
    """The spans in an answer of ``/api/traces`` or ``/api/traces/<id>``.

    Raises: InvalidInput where it is none.
    """
    try:
        return [
            _span(record, trace["processes"])
            for trace in document["data"]
            for record in trace["spans"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InvalidInput(field="data", reason="is not Jaeger's JSON of traces") from exc


def _span(record: Mapping[str, Any], processes: Mapping[str, Any]) -> Span:
    process = processes[record["processID"]]
    tags = _tags(record.get("tags", ()))
    start_ns = int(record["startTime"]) * _NS_PER_US
    trace_id = _padded(record["traceID"], 32)
    parent_id, links = _references(record.get("references") or (), trace_id)
    return Span(
        trace_id,
        _padded(record["spanID"], 16),
        parent_id,
        str(record["operationName"]),
        SpanKind[str(tags.get(_KIND, "internal")).upper()],
        start_ns,
        start_ns + int(record["duration"]) * _NS_PER_US,
        str(process["serviceName"]),
        str(_tags(process.get("tags", ())).get(semconv.HOST_NAME, "")),
        {name: value for name, value in tags.items() if name not in _ADDED},
        _error(tags),
        tuple(_event(one) for one in record.get("logs") or ()),
        links,
    )


def _references(
    records: Sequence[Mapping[str, Any]], trace_id: str
) -> tuple[str, tuple[SpanLink, ...]]:
    """The parent, and whatever else it refers to."""
    parent_id, links = "", []
    for one in records:
        link = SpanLink(_padded(one["traceID"], 32), _padded(one["spanID"], 16))
        if one["refType"] == "CHILD_OF" and link.trace_id == trace_id and not parent_id:
            parent_id = link.span_id
        else:
            links.append(link)
    return parent_id, tuple(links)


def _error(tags: Mapping[str, AttributeValue]) -> str:
    if tags.get(_ERROR) is not True and tags.get(_STATUS[0]) != "ERROR":
        return ""
    return str(tags.get(_STATUS[1]) or "error")


def _event(record: Mapping[str, Any]) -> SpanEvent:
    fields = _tags(record.get("fields", ()))
    name = str(fields.pop("event", ""))
    return SpanEvent(name, int(record["timestamp"]) * _NS_PER_US, fields)


def _tags(records: Sequence[Mapping[str, Any]]) -> dict[str, AttributeValue]:
    return {str(one["key"]): _value(one) for one in records}


def _value(tag: Mapping[str, Any]) -> AttributeValue:
    value = tag["value"]
    match tag.get("type"):
        case "bool":
            return value is True or value == "true"
        case "int64":
            return int(value)
        case "float64":
            return float(value)
    text = str(value)
    if text.startswith('["'):
        try:
            return tuple(str(one) for one in json.loads(text))
        except ValueError:
            return text
    return text


def _padded(value: Any, width: int) -> str:
    """Jaeger leaves out leading zeros."""
    return str(value).rjust(width, "0")
