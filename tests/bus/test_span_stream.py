"""Spans on the bus: what lasts is told while it lasts, a whole trace once, nothing of a moment."""

import time
from pathlib import Path

import anyio

from bus.span_stream import FLUSH_EVERY_S, TOLD_AFTER_S, SpanStream
from contracts import subjects
from contracts.journal_entry import JournalEntry
from contracts.run_id import new_run_id
from contracts.run_spans import run_spans
from contracts.span import Span
from contracts.work_span import work_span
from promptbus.process import open_process
from promptbus.settings import Settings
from tests.contracts.journals import RUN_ID, whole_run

PAUSE_S = TOLD_AFTER_S + 2 * FLUSH_EVERY_S


class Led:
    """A run of which ever more becomes known."""

    run_id = RUN_ID

    def __init__(self, journal: list[JournalEntry]) -> None:
        self.journal = journal
        self.num_derived = 0

    @property
    def num_changes(self) -> int:
        return len(self.journal)

    def spans(self) -> list[Span]:
        self.num_derived += 1
        return run_spans(RUN_ID, self.journal)


def working(run_id: str, end_ns: int | None = None) -> Span:
    """Somebody works at a step."""
    return work_span(run_id, "analyzer/1", 1, begin_ns=time.time_ns(), end_ns=end_ns, host="here")


async def test_what_lasts_is_told_while_it_lasts_and_a_moment_is_not(settings: Settings) -> None:
    moment, lasting = new_run_id(), new_run_id()
    async with open_process(settings, "test") as process, anyio.create_task_group() as tasks:
        tasks.start_soon(process.spans.run)
        assert process.spans.begin("moment", lambda: working(moment))() is False
        end = process.spans.begin("lasting", lambda: working(lasting))
        await anyio.sleep(PAUSE_S)
        assert end() is True
        assert await process.spans.read(moment) == []
        (span,) = await process.spans.read(lasting)
        assert (span.is_open, span.host) == (True, "here")
        tasks.cancel_scope.cancel()


async def test_a_run_is_told_as_it_goes_on_and_only_what_is_new(settings: Settings) -> None:
    whole = list(whole_run())
    led = Led(whole[:2])
    async with open_process(settings, "test") as process, anyio.create_task_group() as tasks:
        tasks.start_soon(process.spans.run)
        forget = process.spans.watch(led)
        await anyio.sleep(PAUSE_S)
        assert await process.spans.read(RUN_ID) == _sorted(run_spans(RUN_ID, whole[:2]))
        num_derived = led.num_derived
        await anyio.sleep(PAUSE_S)
        assert led.num_derived == num_derived
        led.journal = whole[:-1]
        await anyio.sleep(PAUSE_S)
        forget()
        await process.spans.finish(RUN_ID, whole)
        with anyio.fail_after(5):
            while await process.spans.read(RUN_ID) != _sorted(run_spans(RUN_ID, whole)):
                await anyio.sleep(0.02)
        info = await process.connection.jetstream.stream_info("SPANS")
        assert info.state.messages == 3
        tasks.cancel_scope.cancel()


async def test_nothing_is_told_as_whole_before_the_run_is_over(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        assert await process.spans.finish(RUN_ID, whole_run()[:-1]) == ()
        assert await process.spans.finish(RUN_ID, []) == ()
        assert await process.spans.read(RUN_ID) == []


async def test_spans_that_somebody_left_open_are_ended_as_lost(settings: Settings) -> None:
    run_id = new_run_id()
    async with open_process(settings, "test") as process:
        left = working(run_id)
        await process.spans.send([left])
        await _until_stored(process.spans, run_id)
        await process.spans.close_lost(run_id, lambda span: span.span_id == left.span_id)
        with anyio.fail_after(5):
            while (found := await process.spans.read(run_id))[0].is_open:
                await anyio.sleep(0.02)
        (span,) = found
        assert (span.error, span.host, span.start_ns) == ("lost", "here", left.start_ns)
        ended = left._replace(end_ns=left.start_ns + 1_000_000)
        await process.spans.send([ended])
        with anyio.fail_after(5):
            while (await process.spans.read(run_id))[0].error:
                await anyio.sleep(0.02)


async def test_foreign_messages_among_spans_are_passed_over(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await process.spans.send(run_spans(RUN_ID, whole_run()))
        await process.connection.jetstream.publish(subjects.spans(RUN_ID), b"nonsense")
        assert len(await process.spans.read(RUN_ID)) == len(run_spans(RUN_ID, whole_run()))


async def test_without_a_server_nothing_is_raised(settings: Settings, tmp_path: Path) -> None:
    exported: list[Span] = []
    async with open_process(settings, "test") as process:
        stream = SpanStream(process.connection, export=exported.extend)
        await process.connection.client.close()
        await stream.send(run_spans(RUN_ID, whole_run()))
    assert exported == run_spans(RUN_ID, whole_run())


async def _until_stored(spans: SpanStream, run_id: str) -> None:
    with anyio.fail_after(5):
        while not await spans.read(run_id):
            await anyio.sleep(0.02)


def _sorted(spans: list[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.start_ns, span.end_ns or 0, span.span_id))
