"""Sends spans on to any OTLP receiver, by OpenTelemetry's own exporter and its variables."""

from collections.abc import Sequence
from functools import lru_cache

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from contracts import semconv
from contracts.otlp_json import SCOPE
from contracts.span import Span
from promptbus import __version__

_SCOPE = InstrumentationScope(SCOPE, __version__)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
# OTLP's numbers begin with "unspecified", the library's with "internal".
_KINDS = {kind.value + 1: kind for kind in SpanKind}


class OtlpExport:
    """Hands ended spans to the exporter's own thread; :meth:`close` sends what it still holds."""

    def __init__(self) -> None:
        self._processor = BatchSpanProcessor(OTLPSpanExporter())

    def __call__(self, spans: Sequence[Span]) -> None:
        """Take spans; never waits."""
        for span in spans:
            self._processor.on_end(readable_span(span))

    def close(self) -> None:
        """Send the rest; waits for the receiver as long as the exporter's time limit says."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]


def readable_span(span: Span) -> ReadableSpan:
    """A span as OpenTelemetry's exporters take it."""
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_id) if span.parent_id else None,
        resource=_resource(span.service, span.host),
        attributes=dict(span.attributes),
        events=tuple(Event(one.name, dict(one.attributes), one.time_ns) for one in span.events),
        links=tuple(Link(_context(one.trace_id, one.span_id)) for one in span.links),
        kind=_KINDS.get(span.kind, SpanKind.INTERNAL),
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=_SCOPE,
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_SAMPLED)


@lru_cache(maxsize=256)
def _resource(service: str, host: str) -> Resource:
    """Who did it; ``OTEL_RESOURCE_ATTRIBUTES`` adds to that."""
    said = {semconv.SERVICE_NAME: service, semconv.SERVICE_VERSION: __version__}
    return Resource.create({**said, semconv.HOST_NAME: host} if host else said)
