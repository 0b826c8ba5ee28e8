"""The first event of a run, made from the prompt as it lies in its queue; pure."""

from collections.abc import Mapping
from datetime import datetime

from contracts.envelope import CE_SOURCE, TRACEPARENT
from contracts.event import RunStarted
from contracts.prompt import Priority, SubmitPrompt
from contracts.trace_context import parse_traceparent

# What a foreign client says of itself is kept, but not at any length.
MAX_SOURCE_CHARS = 200


def make_run_started(
    run_id: str,
    submitted: SubmitPrompt,
    priority: Priority,
    headers: Mapping[str, str],
    accepted_at: datetime,
) -> RunStarted:
    """The event that whoever takes the prompt up writes, a coordinator or who cancels it first.

    ``accepted_at`` is when the prompt was stored. A run's trace is named by its id; the trace that
    the prompt was published in, where that is another one, is kept to be linked.
    """
    header = headers.get(TRACEPARENT)
    caller = parse_traceparent(header)
    return RunStarted(
        run_id=run_id,
        submitted=submitted,
        priority=priority,
        trace_id=run_id,
        accepted_at=accepted_at,
        source=headers.get(CE_SOURCE, "")[:MAX_SOURCE_CHARS],
        traceparent=header if caller is not None and caller.trace_id != run_id else None,
    )
