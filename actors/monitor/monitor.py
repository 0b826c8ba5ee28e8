"""The monitor actor: decides on model and strategy, and has the model placed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from actors.actor import Actor, handler
from actors.monitor.choice import choose
from contracts.actor_kind import ActorKind
from contracts.event import ResourcesDecided
from contracts.presence import HostReport
from contracts.task import DecideResources

EnsurePlaced = Callable[[str, str], Awaitable[Sequence[str]]]


class Monitor(Actor):
    """Chooses among the models that ``hosts`` report; any number of monitors may run.

    ``ensure_placed`` takes model and strategy, sees to it that a host serves them and names those
    that do; without it only the choice is made.
    """

    kind: ClassVar[ActorKind] = ActorKind.MONITOR

    def __init__(
        self,
        hosts: Callable[[], Awaitable[Sequence[HostReport]]],
        default_model: str = "pocket",
        ensure_placed: EnsurePlaced | None = None,
    ) -> None:
        self._hosts = hosts
        self._default_model = default_model
        self._ensure_placed = ensure_placed

    @handler
    async def decide(self, task: DecideResources) -> ResourcesDecided:
        """The model and strategy for ``task``, on a host that serves them.

        Raises: what :func:`actors.monitor.choice.choose` raises, and DoesNotFit.
        """
        decided = choose(task, await self._hosts(), self._default_model)
        if self._ensure_placed is None:
            return decided
        holders = await self._ensure_placed(decided.model, decided.strategy)
        if not holders or decided.host in holders:
            return decided
        reason = f"{decided.reason}; placed on {', '.join(holders)}"
        return decided.model_copy(update={"host": holders[0], "reason": reason})
