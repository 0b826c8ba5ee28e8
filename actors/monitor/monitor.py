"""The monitor actor: decides on model and strategy."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from actors.actor import Actor, handler
from actors.monitor.choice import choose
from contracts.actor_kind import ActorKind
from contracts.event import ResourcesDecided
from contracts.presence import HostReport
from contracts.task import DecideResources


class Monitor(Actor):
    """Chooses among the models that ``hosts`` report; any number of monitors may run."""

    kind: ClassVar[ActorKind] = ActorKind.MONITOR

    def __init__(
        self,
        hosts: Callable[[], Awaitable[Sequence[HostReport]]],
        default_model: str = "pocket",
    ) -> None:
        self._hosts = hosts
        self._default_model = default_model

    @handler
    async def decide(self, task: DecideResources) -> ResourcesDecided:
        """The model and strategy for ``task``.

        Raises: what :func:`actors.monitor.choice.choose` raises.
        """
        return choose(task, await self._hosts(), self._default_model)
