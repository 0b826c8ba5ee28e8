"""What ``promptbus doctor traces`` finds out: whether traces and journals tell the same."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

import anyio
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from bus.direct_get import DirectGet
from bus.topology import RUNS, SPANS
from contracts import subjects
from contracts.errors import BusUnavailable
from contracts.run_steps import RunHistory
from contracts.trace_check import check_trace
from promptbus.check import Check, broken, ok, warning
from promptbus.process import Process

NAME = "traces"
MAX_TOLD = 10
_IN_PARALLEL = 16
# Runs end with an outcome, direct generations with the one step they have.
_ENDS = (subjects.OUTCOMES_ALL, subjects.FIRST_GENERATIONS_ALL)


@dataclass(slots=True)
class _Found:
    num_runs: int = 0
    num_spans: int = 0
    num_running: int = 0
    num_faulty: int = 0
    faults: list[str] = field(default_factory=list)


async def check_traces(process: Process) -> list[Check]:
    """Compare the trace of every run that is over with its journal, as far as SPANS goes back.

    Raises: BusUnavailable.
    """
    since = await _spans_since(process)
    found = _Found()
    limiter = anyio.CapacityLimiter(_IN_PARALLEL)
    async with anyio.create_task_group() as tasks:
        async for run_id in _ended_runs(process, since):
            await limiter.acquire_on_behalf_of(run_id)
            tasks.start_soon(_check_one, process, run_id, found, limiter)
    return [_verdict(found)]


async def _check_one(
    process: Process, run_id: str, found: _Found, limiter: anyio.CapacityLimiter
) -> None:
    try:
        journal = await process.journal.read(run_id)
        if not RunHistory(journal).is_over:
            found.num_running += 1
            return
        spans = await process.spans.read(run_id)
        found.num_runs += 1
        found.num_spans += len(spans)
        faults = check_trace(run_id, journal, spans)
        if faults:
            found.num_faulty += 1
            found.faults.append(f"{run_id}: {'; '.join(faults)}")
    finally:
        limiter.release_on_behalf_of(run_id)


async def _ended_runs(process: Process, since: datetime | None) -> AsyncIterator[str]:
    """Every run that ended since then, once."""
    direct = DirectGet(process.connection, RUNS)
    seen: set[str] = set()
    for pattern in _ENDS:
        sequence = 1
        while page := await direct.read(pattern, from_sequence=sequence):
            sequence = page[-1].sequence + 1
            for message in page:
                run_id = message.subject.split(".")[1]
                if run_id not in seen and (since is None or message.stored_at >= since):
                    seen.add(run_id)
                    yield run_id


async def _spans_since(process: Process) -> datetime | None:
    """How far SPANS goes back; None where it has lost nothing yet."""
    try:
        answer = await process.connection.jetstream.stream_info(SPANS)
    except (NatsError, APIError, TimeoutError) as exc:
        raise BusUnavailable(f"stream {SPANS} does not answer", cure="promptbus doctor") from exc
    if answer.state.first_seq <= 1:
        return None
    first = await DirectGet(process.connection, SPANS).read(subjects.SPANS_ALL, limit=1)
    return first[0].stored_at if first else None


def _verdict(found: _Found) -> Check:
    running = f"; {found.num_running} are not over" if found.num_running else ""
    if found.num_faulty:
        told = "\n".join(sorted(found.faults)[:MAX_TOLD])
        what = f"{found.num_faulty} of {found.num_runs} runs{running}:\n{told}"
        cure = "journals hold the truth: promptbus run show RUN"
        return broken(NAME, what, cure)
    if not found.num_runs:
        return warning(NAME, f"no run is over{running}", "ask something: promptbus ask 'Hello!'")
    return ok(
        NAME,
        f"{found.num_runs} runs, {found.num_spans} spans: one root each, no orphan, "
        f"every step of a journal and no other{running}",
    )
