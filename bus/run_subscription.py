"""One subscription per process to a subject that every run has, handed to listeners by run."""

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from bus.connection import Connection
from bus.run_listeners import RunListeners

ItemT = TypeVar("ItemT")


class RunSubscription(Generic[ItemT]):
    """Hands what is published on ``subject`` to listeners by run; ``async with`` subscribes.

    The run id is the subject's second token. ``decode`` makes an item of subject and payload, or
    None of what is not ours: such subjects are open to every client of the account. A message of
    a run nobody listens to is never decoded.
    """

    def __init__(
        self, connection: Connection, subject: str, decode: Callable[[str, bytes], ItemT | None]
    ) -> None:
        self._connection = connection
        self._subject = subject
        self._decode = decode
        self._listeners: RunListeners[ItemT] = RunListeners()
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._subscription = await self._connection.client.subscribe(
            self._subject, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._subscription is not None and not self._connection.client.is_closed:
            await self._subscription.unsubscribe()

    @property
    def num_listeners(self) -> int:
        """Runs that somebody listens to."""
        return len(self._listeners)

    def listen(self, run_id: str, listener: Callable[[ItemT], None]) -> Callable[[], None]:
        """Call ``listener`` for everything new of that run; the return value ends that."""
        return self._listeners.add(run_id, listener)

    async def _on_message(self, message: Msg) -> None:
        run_id = message.subject.split(".", 2)[1]
        if run_id not in self._listeners:
            return
        item = self._decode(message.subject, message.data)
        if item is not None:
            self._listeners.tell(run_id, item)
