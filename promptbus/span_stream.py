"""Sends every span to ``spans.<trace_id>``: while it is open, and when it has ended.

So a flow is visible while it happens, and without any tracing backend. Spans are collected for a
moment and travel one message per trace; one that began and ended within that moment is sent once.
"""

import json
import logging
from collections import defaultdict
from typing import Any

import anyio
from nats.errors import Error as NatsError
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from bus.connection import Connection
from contracts import subjects

logger = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.2
# Beyond this many unsent spans the oldest are dropped: a picture may have holes, a run may not.
MAX_UNSENT = 50_000
MAX_SPANS_PER_MESSAGE = 200


class SpanStream(SpanProcessor):
    """A span processor; :meth:`run` sends what it collected until it is cancelled."""

    def __init__(self) -> None:
        self._unsent: dict[int, ReadableSpan] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Collect a span that began."""
        self._collect(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Collect a span that ended, in place of its beginning if that was not sent yet."""
        self._collect(span)

    def shutdown(self) -> None:
        """Nothing to do: :meth:`run` sends the rest when it is cancelled."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Spans are sent by :meth:`run`; nothing can be forced from another thread."""
        return not self._unsent

    def _collect(self, span: ReadableSpan) -> None:
        context = span.context
        if context is None or not context.trace_flags.sampled:
            return
        self._unsent[context.span_id] = span
        if len(self._unsent) > MAX_UNSENT:
            del self._unsent[next(iter(self._unsent))]

    async def run(self, connection: Connection) -> None:
        """Send collected spans every ``FLUSH_EVERY_S`` until cancelled."""
        try:
            while True:
                await anyio.sleep(FLUSH_EVERY_S)
                await self._flush(connection)
        finally:
            with anyio.move_on_after(1, shield=True):
                await self._flush(connection)

    async def _flush(self, connection: Connection) -> None:
        if not self._unsent or not connection.is_connected:
            return
        by_trace: dict[str, list[dict[str, Any]]] = defaultdict(list)
        unsent, self._unsent = self._unsent, {}
        for span in unsent.values():
            record = span_record(span)
            by_trace[record["traceId"]].append(record)
        for trace_id, records in by_trace.items():
            for begin in range(0, len(records), MAX_SPANS_PER_MESSAGE):
                payload = {"spans": records[begin : begin + MAX_SPANS_PER_MESSAGE]}
                try:
                    await connection.client.publish(
                        subjects.spans(trace_id), json.dumps(payload).encode()
                    )
                except NatsError as exc:
                    logger.warning("dropped %d spans: %s", len(records), exc)


def span_record(span: ReadableSpan) -> dict[str, Any]:
    """A span as it travels: OTLP's JSON names, ids in hex, times in nanoseconds since the epoch.

    A span without ``endTimeUnixNano`` is still open.
    """
    context, parent = span.context, span.parent
    record: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}" if context else "",
        "spanId": f"{context.span_id:016x}" if context else "",
        "parentSpanId": f"{parent.span_id:016x}" if parent else "",
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": span.start_time,
        "attributes": dict(span.attributes or {}),
    }
    if span.end_time is not None:
        record["endTimeUnixNano"] = span.end_time
        record["status"] = {
            "code": span.status.status_code.value,
            "message": span.status.description or "",
        }
    return record
