"""Events as RUNS stores them: one subscription per process, handed to whoever waits.

The republish is a hint, the journal is the truth: whoever waits reads the journal after a
reconnect and after every few seconds of silence.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import anyio
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.direct_get import DirectGet, parse_time
from bus.journal import entry_or_none, make_entry
from bus.payload_store import PayloadStore
from bus.run_listeners import RunListeners
from bus.topology import RUNS
from contracts import subjects
from contracts.claim import claimed_object
from contracts.errors import BusUnavailable, InvalidInput, MalformedMessage, PromptbusError
from contracts.journal_entry import JournalEntry

logger = logging.getLogger(__name__)

# While missed events are read, newer ones wait.
FILL_S = 2.0

Listener = Callable[[JournalEntry], None]


class StoredEvents:
    """Hands stored events to listeners, by run or all of them, in the order of the stream.

    Who watches all events notices from the sequence that some were not republished, and reads
    them before it goes on; where that fails, :meth:`on_gap` tells.

    Listeners are called in the event loop and must not block or raise. An event nobody listens to
    is never decoded; hints and ends are told without decoding.
    """

    def __init__(
        self, connection: Connection, watched: tuple[str, ...] = (subjects.STORED_RUNS_ALL,)
    ) -> None:
        self._connection = connection
        self._direct = DirectGet(connection, RUNS)
        self._payloads = PayloadStore(connection)
        self._watched = watched
        self._by_run: RunListeners[JournalEntry] = RunListeners()
        self._for_all: list[Listener] = []
        self._hints: list[Callable[[], None]] = []
        self._ends: list[Callable[[str], None]] = []
        self._gaps: list[Callable[[], None]] = []
        # Only who hears everything can tell from the sequence that something is missing.
        self._hears_all = watched == (subjects.STORED_RUNS_ALL,)
        self._sequence = 0
        self._subscriptions: list[Subscription] = []

    async def __aenter__(self) -> Self:
        for subject in self._watched:
            subscription = await self._connection.client.subscribe(
                subject, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
            self._subscriptions.append(subscription)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._connection.client.is_closed:
            for subscription in self._subscriptions:
                await subscription.unsubscribe()

    def listen(self, listener: Listener, run_id: str | None = None) -> Callable[[], None]:
        """Call ``listener`` for every stored event of ``run_id`` (None: of all runs).

        The returned function ends that.
        """
        if run_id is None:
            return _add(self._for_all, listener)
        return self._by_run.add(run_id, listener)

    def on_any(self, hint: Callable[[], None]) -> Callable[[], None]:
        """Call ``hint`` whenever anything was stored; the returned function ends that."""
        return _add(self._hints, hint)

    def on_end(self, ended: Callable[[str], None]) -> Callable[[], None]:
        """Call ``ended`` with the id of every run that is cancelled or has its outcome."""
        return _add(self._ends, ended)

    def on_gap(self, missed: Callable[[], None]) -> Callable[[], None]:
        """Call ``missed`` when events may not have been heard; the returned function ends that."""
        return _add(self._gaps, missed)

    async def _on_message(self, message: Msg) -> None:
        sequence = _sequence(message)
        if self._hears_all and 0 < self._sequence < sequence - 1:
            await self._fill_gap(self._sequence + 1, sequence)
        self._sequence = sequence
        for hint in self._hints:
            hint()
        if claimed_object(message.headers or {}) is not None:
            message.data = await self._fetch(message)
        self._tell(message.subject.removeprefix(subjects.STORED_PREFIX), lambda: _entry_of(message))

    async def _fetch(self, message: Msg) -> bytes:
        """The payload that the message claims; without it the journal tells the event."""
        try:
            return await self._payloads.fetch(message.headers or {}, message.data)
        except BusUnavailable as exc:
            logger.warning("a large event is read later: %s", exc)
            return message.data

    def _tell(self, subject: str, decode: Callable[[], JournalEntry | None]) -> None:
        # runs.<run_id>.<name>…; what is shorter is none of ours.
        run_id, _, name = subject.removeprefix(_PREFIX).partition(".")
        if name in _ENDS:
            for ended in self._ends:
                ended(run_id)
        if run_id not in self._by_run and not self._for_all:
            return
        entry = decode()
        if entry is None:
            return
        self._by_run.tell(run_id, entry)
        for listener in tuple(self._for_all):
            listener(entry)

    async def _fill_gap(self, begin: int, end: int) -> None:
        """Tell the events from sequence ``begin`` to ``end`` that were stored and not heard."""
        with anyio.move_on_after(FILL_S):
            try:
                while begin < end:
                    stored = await self._direct.read(subjects.RUNS_ALL, from_sequence=begin)
                    for message in stored:
                        if message.sequence < end:
                            self._tell(message.subject, partial(entry_or_none, message))
                    begin = stored[-1].sequence + 1 if stored else end
                return
            except (PromptbusError, NatsError) as exc:
                logger.warning("events were missed: %s", exc)
        for missed in tuple(self._gaps):
            missed()


_PREFIX = "runs."
_ENDS = frozenset({subjects.CANCEL, subjects.OUTCOME})
_T = TypeVar("_T")


def _add(registered: list[_T], item: _T) -> Callable[[], None]:
    registered.append(item)
    return lambda: registered.remove(item)


def _sequence(message: Msg) -> int:
    text = (message.headers or {}).get("Nats-Sequence", "")
    return int(text) if text.isdecimal() else 0


def _entry_of(message: Msg) -> JournalEntry | None:
    try:
        return stored_entry(message)
    except (MalformedMessage, InvalidInput) as exc:
        logger.warning("ignored a stored message: %s", exc)
        return None


def stored_entry(message: Msg) -> JournalEntry:
    """A republished message as a line of a journal.

    Raises: MalformedMessage, InvalidInput.
    """
    headers = message.headers or {}
    time = headers.get("Nats-Time-Stamp")
    return make_entry(
        message.subject.removeprefix(subjects.STORED_PREFIX),
        headers,
        message.data,
        _sequence(message),
        parse_time(time) if time else datetime.now(UTC),
    )
