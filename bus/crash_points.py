"""Named places at which a process may be made to die: before and after every publish and ack.

What random killing misses, a test that dies at each of them in turn finds. The names follow from
the messages there are, so that a new message has its points as soon as it exists.
"""

import os
import signal
from collections.abc import Awaitable, Callable

from contracts.actor_kind import ActorKind
from contracts.envelope import MESSAGES
from contracts.generation import TextDelta
from contracts.message import Message
from contracts.placement import HostPlacement
from contracts.presence import Presence
from contracts.waiting import WaitReport

_PUBLISHED: tuple[type[Message], ...] = (
    *MESSAGES,
    HostPlacement,
    TextDelta,
    WaitReport,
    Presence,
)
_ACTIONS = (
    *(f"publish-{cls.__name__}" for cls in _PUBLISHED),
    *(f"ack-{kind}" for kind in ActorKind),
    "nak",
    "term",
)
POINTS = tuple(f"{moment}-{action}" for action in _ACTIONS for moment in ("before", "after"))


class CrashPoints:
    """Ends this process with SIGKILL the first time it reaches ``crash_at``; None never.

    What the process sent until then leaves it first, by ``flush``.
    """

    def __init__(self, crash_at: str | None, flush: Callable[[], Awaitable[None]]) -> None:
        self._crash_at = crash_at
        self._flush = flush

    async def before(self, action: str) -> None:
        """``action`` is about to happen."""
        if self._crash_at is not None:
            await self._reach(f"before-{action}")

    async def after(self, action: str) -> None:
        """``action`` has happened: it is confirmed, or sent where nobody confirms it."""
        if self._crash_at is not None:
            await self._reach(f"after-{action}")

    async def _reach(self, point: str) -> None:
        if point == self._crash_at:
            await self._flush()
            os.kill(os.getpid(), signal.SIGKILL)
