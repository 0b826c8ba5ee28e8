"""The monitor actor: decides on models, has them placed, refuses what fits nowhere."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from actors.actor import Actor, handler
from actors.monitor.choice import choose
from contracts.actor_kind import ActorKind
from contracts.errors import NoExecutor, UnknownModel, UnknownStrategy
from contracts.event import ResourcesDecided, StepEvent
from contracts.presence import HostReport
from contracts.task import DecideResources, GenerateAnswer

Hosts = Callable[[], Awaitable[Sequence[HostReport]]]
EnsurePlaced = Callable[[str, str | None], Awaitable[Sequence[str]]]


class Monitor(Actor):
    """Chooses among the models that ``hosts`` report; any number of monitors may run.

    ``hosts`` may be a moment old; before a model or strategy is refused as unknown, ``fresh_hosts``
    is asked. ``ensure_placed`` takes model and strategy, sees to it that a host serves them and
    names those that do; without it only the choice is made. Generations come to it where no
    executor takes them; see :class:`RefusalQueues`.
    """

    kind: ClassVar[ActorKind] = ActorKind.MONITOR

    def __init__(
        self,
        hosts: Hosts,
        default_model: str = "pocket",
        ensure_placed: EnsurePlaced | None = None,
        *,
        fresh_hosts: Hosts | None = None,
    ) -> None:
        self._hosts = hosts
        self._fresh_hosts = fresh_hosts or hosts
        self._default_model = default_model
        self._ensure_placed = ensure_placed

    @handler
    async def decide(self, task: DecideResources) -> ResourcesDecided:
        """The model and strategy for ``task``, on a host that serves them.

        Raises: what :func:`actors.monitor.choice.choose` raises, and DoesNotFit.
        """
        try:
            decided = choose(task, await self._hosts(), self._default_model)
        except (UnknownModel, UnknownStrategy):
            decided = choose(task, await self._fresh_hosts(), self._default_model)
        if self._ensure_placed is None:
            return decided
        holders = await self._ensure_placed(decided.model, decided.strategy)
        if not holders or decided.host in holders:
            return decided
        reason = f"{decided.reason}; placed on {', '.join(holders)}"
        return decided.model_copy(update={"host": holders[0], "reason": reason})

    @handler
    async def refuse(self, task: GenerateAnswer) -> StepEvent:
        """Say what each host lacks for a generation that waits in vain.

        Raises: DoesNotFit; NoExecutor (retryable, so that the task goes back to its queue) where a
        host has room by now.
        """
        if self._ensure_placed is not None:
            await self._ensure_placed(task.model, task.strategy)
        raise NoExecutor(f"{task.model} has only just found a host")
