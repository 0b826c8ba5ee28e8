"""A span as promptbus knows it, whoever wrote it down and in whatever form it came."""

import hashlib
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from contracts import semconv

AttributeValue = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, AttributeValue]

NS_PER_MS = 1_000_000


class SpanKind(IntEnum):
    """OTLP's numbers."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class SpanEvent(NamedTuple):
    """Something that happened within a span."""

    name: str
    time_ns: int
    attributes: Attributes


class SpanLink(NamedTuple):
    """Another span that this one continues or comes from."""

    trace_id: str
    span_id: str


class Span(NamedTuple):
    """One span; times in nanoseconds since the epoch, ids in lower-case hex.

    Without ``end_ns`` it is still open. ``error`` is the type of what went wrong, empty where
    nothing did; it never holds anybody's text. ``service`` and ``host`` are who did it.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    start_ns: int
    end_ns: int | None
    service: str
    host: str
    attributes: Attributes
    error: str = ""
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return self.end_ns is None

    @property
    def duration_ms(self) -> float:
        """How long it took; 0 while it is open."""
        return 0.0 if self.end_ns is None else (self.end_ns - self.start_ns) / NS_PER_MS

    @property
    def role(self) -> str:
        """What it tells of; empty where it is none of ours."""
        return str(self.attributes.get(semconv.ROLE, ""))


def span_id_of(run_id: str, *parts: str | int) -> str:
    """The id of what ``parts`` name within a run: the same whoever writes it down."""
    named = "/".join((run_id, *map(str, parts)))
    return hashlib.blake2b(named.encode(), digest_size=8).hexdigest()


def merge_spans(records: Iterable[Span]) -> list[Span]:
    """Each span once, in the order of their beginnings; pure.

    A span may have been written down several times: open and ended, or by two who led the same run.
    What ended stands over what is open, what somebody saw end over what was found abandoned.
    """
    known: dict[tuple[str, str], Span] = {}
    for record in records:
        key = record.trace_id, record.span_id
        before = known.get(key)
        known[key] = record if before is None else _merge(before, record)
    return sorted(known.values(), key=lambda span: (span.start_ns, span.end_ns or 0, span.span_id))


def _merge(before: Span, after: Span) -> Span:
    first, second = (before, after) if _weight(before) <= _weight(after) else (after, before)
    return second._replace(
        attributes={**first.attributes, **second.attributes},
        host=second.host or first.host,
    )


def _weight(span: Span) -> tuple[int, int]:
    """How much a record of a span counts against others of it; of two ends the later is right."""
    if span.end_ns is None:
        return 0, 0
    if semconv.LOST in span.attributes:
        return 1, span.end_ns
    return (2 if semconv.UNANSWERED in span.attributes else 3), span.end_ns
