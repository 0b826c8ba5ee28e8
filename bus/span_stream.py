"""Sends spans to ``spans.<trace_id>``: those of runs that go on for a while, and whole traces.

A trace is computed from its run's journal, once the run is over, in one message; so following a
run costs next to nothing while it goes on. What lasts longer than a moment is told while it
happens: open spans, and those that ended since.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import anyio
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.direct_get import DirectGet
from bus.topology import SPANS
from contracts import semconv, subjects
from contracts.errors import MalformedMessage, PromptbusError
from contracts.journal_entry import JournalEntry
from contracts.run_spans import run_spans
from contracts.span import Span, merge_spans
from contracts.span_record import decode_spans, encode_spans

logger = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.25
# What is over within this time is told once, when it is over.
TOLD_AFTER_S = 1.0
MAX_SPANS_PER_MESSAGE = 200

Export = Callable[[Sequence[Span]], None]


class LiveTrace(Protocol):
    """A run that is being led here."""

    run_id: str

    @property
    def num_changes(self) -> int:
        """Grows with everything that becomes known of the run."""

    def spans(self) -> list[Span]:
        """The run's spans as they are now."""


class SpanStream:
    """The spans of one process; :meth:`run` tells what is going on until it is cancelled.

    ``export`` takes spans that have ended elsewhere as well. Without ``enabled`` nothing is sent.
    ``with_content`` records prompts and answers.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        enabled: bool = True,
        with_content: bool = False,
        export: Export | None = None,
    ) -> None:
        self._connection = connection
        self._direct = DirectGet(connection, SPANS)
        self._enabled = enabled
        self._with_content = with_content
        self._export = export
        self._live: dict[int, _Told] = {}
        self._begun: dict[str, tuple[float, Callable[[], Span]]] = {}

    def watch(self, trace: LiveTrace) -> Callable[[], None]:
        """Tell of a run while it is led here; the returned function ends that."""
        key = id(trace)
        if self._enabled:
            self._live[key] = _Told(trace)

        def end() -> None:
            self._live.pop(key, None)

        return end

    def begin(self, name: str, make: Callable[[], Span]) -> Callable[[], bool]:
        """Tell of the open span that ``make`` gives, should it last; ``name`` tells it from others.

        What is returned ends that, and says whether it was told.
        """
        if self._enabled:
            self._begun[name] = (time.monotonic(), make)

        def end() -> bool:
            return self._begun.pop(name, None) is None and self._enabled

        return end

    async def finish(self, run_id: str, journal: Sequence[JournalEntry]) -> Sequence[Span]:
        """Send the whole trace of a run that is over, and return it; nothing of one that is not."""
        if not self._enabled:
            return ()
        spans = run_spans(run_id, journal, with_content=self._with_content)
        if not spans or spans[0].is_open:
            return ()
        await self.send(spans)
        return spans

    async def send(self, spans: Sequence[Span]) -> None:
        """Send spans of one trace; a picture may have holes, so what cannot be sent is dropped."""
        if not self._enabled or not spans:
            return
        if self._export is not None:
            self._export([span for span in spans if not span.is_open])
        if not self._connection.is_connected:
            return
        subject = subjects.spans(spans[0].trace_id)
        for begin in range(0, len(spans), MAX_SPANS_PER_MESSAGE):
            some = spans[begin : begin + MAX_SPANS_PER_MESSAGE]
            try:
                await self._connection.client.publish(subject, encode_spans(some))
            except NatsError as exc:
                logger.warning("dropped %d spans: %s", len(some), exc)

    async def read(self, trace_id: str) -> list[Span]:
        """The spans of one trace as SPANS holds them, each once. Raises: BusUnavailable."""
        found: list[Span] = []
        for message in await self._direct.read_all(subjects.spans(trace_id)):
            try:
                found += decode_spans(message.data)
            except MalformedMessage as exc:
                logger.warning("passed over foreign spans: %s", exc)
        return merge_spans(found)

    async def close_lost(self, run_id: str, is_lost: Callable[[Span], bool]) -> None:
        """End the open spans of that run of which ``is_lost`` says that nobody else will."""
        if not self._enabled:
            return
        try:
            known = await self.read(run_id)
        except PromptbusError as exc:
            logger.warning("spans of %s stay open: %s", run_id, exc)
            return
        now_ns = time.time_ns() // 1000 * 1000
        await self.send(
            [
                span._replace(
                    end_ns=max(now_ns, span.start_ns),
                    error="lost",
                    attributes={**span.attributes, semconv.LOST: True, semconv.ERROR_TYPE: "lost"},
                )
                for span in known
                if span.is_open and is_lost(span)
            ]
        )

    async def run(self) -> None:
        """Tell every ``FLUSH_EVERY_S`` what has gone on for a while, until cancelled."""
        while True:
            await anyio.sleep(FLUSH_EVERY_S)
            await self._flush(time.monotonic() - TOLD_AFTER_S)

    async def _flush(self, before_s: float) -> None:
        for name, (begun_s, make) in tuple(self._begun.items()):
            if begun_s <= before_s:
                self._begun.pop(name, None)
                await self.send([make()])
        for told in tuple(self._live.values()):
            if told.begun_s <= before_s:
                await self.send(told.news())


class _Told:
    """What was told of a run that is led here."""

    def __init__(self, trace: LiveTrace) -> None:
        self.begun_s = time.monotonic()
        self._trace = trace
        self._num_changes = 0
        self._open: dict[str, bool] = {}

    def news(self) -> list[Span]:
        """Spans that began or ended since the last time."""
        if self._trace.num_changes == self._num_changes:
            return []
        self._num_changes = self._trace.num_changes
        found = [
            span for span in self._trace.spans() if self._open.get(span.span_id) != span.is_open
        ]
        self._open.update((span.span_id, span.is_open) for span in found)
        return found
