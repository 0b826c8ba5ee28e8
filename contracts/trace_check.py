"""Whether the spans of a run are those that its journal tells of, and no others; pure."""

from collections.abc import Iterable, Sequence

from contracts import semconv
from contracts.journal_entry import JournalEntry
from contracts.run_spans import run_spans
from contracts.semconv import Role
from contracts.span import Span, merge_spans

# Told by who did or found it, besides what the journal holds: earlier tries, and dead letters.
_BESIDES = frozenset({Role.WORK, Role.DEAD})


def check_trace(run_id: str, journal: Sequence[JournalEntry], spans: Iterable[Span]) -> list[str]:
    """What is wrong with the trace of a run that is over, in sentences; empty where nothing is.

    There must be one root and no orphan, every span that the journal tells of as it tells it, and
    none besides but tries and dead letters. All have ended, but for a try whose process died when
    another one had done the step already: nobody takes that up.
    """
    expected = {span.span_id: span for span in run_spans(run_id, journal)}
    found = {span.span_id: span for span in merge_spans(spans)}
    return [
        *_tree_faults(found),
        *(
            f"{_name(span)} is missing"
            for span_id, span in expected.items()
            if span_id not in found
        ),
        *(
            fault
            for span_id, span in found.items()
            for fault in _span_faults(span, expected.get(span_id))
        ),
    ]


def _tree_faults(found: dict[str, Span]) -> list[str]:
    roots = [span for span in found.values() if not span.parent_id]
    faults = [] if len(roots) == 1 else [f"there are {len(roots)} roots"]
    faults += [
        f"{_name(span)} has no parent"
        for span in found.values()
        if span.parent_id and span.parent_id not in found
    ]
    return faults


def _span_faults(span: Span, expected: Span | None) -> list[str]:
    if span.is_open and (expected is not None or span.role != Role.WORK):
        return [f"{_name(span)} is still open"]
    if expected is None:
        is_known = span.role in _BESIDES or semconv.LOST in span.attributes
        return [] if is_known else [f"{_name(span)} is in no journal"]
    wrong = [
        name
        for name in ("name", "parent_id", "start_ns", "end_ns", "service", "error")
        if getattr(span, name) != getattr(expected, name)
    ]
    return [f"{_name(span)} has another {', '.join(wrong)}"] if wrong else []


def _name(span: Span) -> str:
    step = span.attributes.get(semconv.STEP)
    return f"span {span.name!r} of {step}" if step else f"span {span.name!r}"
