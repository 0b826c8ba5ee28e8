"""The history actor: recalls the earlier turns of a session."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from actors.actor import Actor, handler
from actors.history.projection import Projection
from actors.history.turns import TOKENS_PER_MESSAGE, TurnPair, keep_newest
from contracts.actor_kind import ActorKind
from contracts.call import ListRuns, RunPage
from contracts.event import HistoryRecalled
from contracts.task import RecallHistory

# Most budgets hold fewer pairs than this, so that one query is the rule.
_PAGE: Final = 16


async def _nothing_to_catch_up(_session_id: str) -> None:
    """For callers whose projection is always up to date."""


class History(Actor):
    """Recalls turns from ``projection``.

    ``catch_up`` is awaited with the session id before each recall; whoever builds the actor can
    use it to apply what was stored a moment ago, so that a session sees its own last answer.
    """

    kind: ClassVar[ActorKind] = ActorKind.HISTORY

    def __init__(
        self,
        projection: Projection,
        catch_up: Callable[[str], Awaitable[None]] = _nothing_to_catch_up,
    ) -> None:
        self._projection = projection
        self._catch_up = catch_up

    @handler
    async def recall(self, task: RecallHistory) -> HistoryRecalled:
        """The newest turns of the session that fit ``task.budget_tokens``, oldest first.

        Prompt and answer stay together, and the run that asks is never among them.
        ``num_tokens`` is an estimate (see ``turns``); ``num_omitted`` counts messages left out.

        Raises: ProjectionFailed (retryable) and whatever ``catch_up`` raises.
        """
        if task.session_id is None or task.budget_tokens < 2 * TOKENS_PER_MESSAGE:
            return HistoryRecalled(run_id=task.run_id, attempt=task.attempt)
        await self._catch_up(task.session_id)
        kept, num_omitted = await self._newest(task.run_id, task.session_id, task.budget_tokens)
        return HistoryRecalled(
            run_id=task.run_id,
            attempt=task.attempt,
            turns=tuple(message for pair in reversed(kept) for message in pair.messages()),
            num_tokens=sum(pair.num_tokens for pair in kept),
            num_omitted=2 * num_omitted,
        )

    async def list_runs(self, call: ListRuns) -> RunPage:
        """A page of runs, with everything that is stored by now.

        Raises: InvalidInput for a cursor that no page gave; ProjectionFailed (retryable).
        """
        await self._catch_up("")
        wanted = {name: getattr(call, name) for name in ListRuns.model_fields}
        rows, cursor = await self._projection.list_runs(**wanted)
        return RunPage(runs=tuple(rows), cursor=cursor)

    async def _newest(
        self, run_id: str, session_id: str, budget_tokens: int
    ) -> tuple[list[TurnPair], int]:
        kept: list[TurnPair] = []
        before: int | None = None
        while True:
            page = await self._projection.turns_before(
                run_id, session_id, limit=_PAGE, before=before
            )
            fitting = keep_newest(page, budget_tokens)
            kept += fitting
            if len(fitting) < len(page):
                first_left_out = page[len(fitting)].sequence
                num_older = await self._projection.count_turns_before(session_id, first_left_out)
                return kept, num_older + 1
            if len(page) < _PAGE:
                return kept, 0
            budget_tokens -= sum(pair.num_tokens for pair in fitting)
            before = page[-1].sequence
