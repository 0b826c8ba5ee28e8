"""Events as RUNS stores them: one subscription per process, handed to whoever waits.

The republish is a hint, the journal is the truth: whoever waits reads the journal after a
reconnect and after every few seconds of silence.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from bus.connection import Connection
from bus.direct_get import parse_time
from bus.journal import make_entry
from contracts import subjects
from contracts.errors import InvalidInput, MalformedMessage
from contracts.journal_entry import JournalEntry

logger = logging.getLogger(__name__)

Listener = Callable[[JournalEntry], None]


class StoredEvents:
    """Hands stored events to listeners, by run or all of them.

    Listeners are called in the event loop and must not block or raise. An event nobody listens to
    is never decoded; hints and ends are told without decoding.
    """

    def __init__(
        self, connection: Connection, watched: tuple[str, ...] = (subjects.STORED_RUNS_ALL,)
    ) -> None:
        self._connection = connection
        self._watched = watched
        self._by_run: dict[str, list[Listener]] = {}
        self._for_all: list[Listener] = []
        self._hints: list[Callable[[], None]] = []
        self._ends: list[Callable[[str], None]] = []
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
        self._by_run.setdefault(run_id, []).append(listener)
        return lambda: self._forget(run_id, listener)

    def on_any(self, hint: Callable[[], None]) -> Callable[[], None]:
        """Call ``hint`` whenever anything was stored; the returned function ends that."""
        return _add(self._hints, hint)

    def on_end(self, ended: Callable[[str], None]) -> Callable[[], None]:
        """Call ``ended`` with the id of every run that is cancelled or has its outcome."""
        return _add(self._ends, ended)

    def _forget(self, run_id: str, listener: Listener) -> None:
        listeners = self._by_run[run_id]
        listeners.remove(listener)
        if not listeners:
            del self._by_run[run_id]

    async def _on_message(self, message: Msg) -> None:
        for hint in self._hints:
            hint()
        # stored.runs.<run_id>.<name>…; what is shorter is none of ours.
        run_id, _, name = message.subject.removeprefix(_PREFIX).partition(".")
        if name in _ENDS:
            for ended in self._ends:
                ended(run_id)
        listeners = (*self._by_run.get(run_id, ()), *self._for_all)
        if not listeners:
            return
        try:
            entry = stored_entry(message)
        except (MalformedMessage, InvalidInput) as exc:
            logger.warning("ignored a stored message: %s", exc)
            return
        for listener in listeners:
            listener(entry)


_PREFIX = f"{subjects.STORED_PREFIX}runs."
_ENDS = frozenset({subjects.CANCEL, subjects.OUTCOME})
_T = TypeVar("_T")


def _add(registered: list[_T], item: _T) -> Callable[[], None]:
    registered.append(item)
    return lambda: registered.remove(item)


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
        int(headers.get("Nats-Sequence", "0")),
        parse_time(time) if time else datetime.now(UTC),
    )
