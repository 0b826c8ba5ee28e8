"""One run while its coordinator leads it: what it asks, and how it ends."""

import time

import anyio
from langchain_core.runnables import RunnableConfig

from actors.coordinator.graph import RunContext, RunGraph, StepError
from actors.coordinator.run_state import RunState
from actors.coordinator.wait_reporter import WaitReporter, Watched
from actors.retry_policy import GENERATIONS
from bus.pull_worker import backoff_s
from bus.run_journal import RunJournal
from bus.server_clock import ServerClock
from bus.stage_reader import StageReader
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import DeadlineExceeded, PromptbusError
from contracts.event import (
    CancelRequested,
    Outcome,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    StepEvent,
)
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_stage import RunStage
from contracts.task import DecideResources, GenerateAnswer, StepTotals, Task

DEFAULT_DEADLINE_S = 900.0
# What a run can do without is not waited for until its own deadline: the session's earlier turns,
# and the summary of an answer that is out already.
STEP_DEADLINES_S = {ActorKind.HISTORY: 10.0, ActorKind.SUMMARIZER: 20.0}

# Two nodes an attempt, and the five around them, with room to spare.
_CONFIG: RunnableConfig = {"recursion_limit": 100}


class LedRun:
    """One run being led: the conductor that the graph's nodes ask."""

    def __init__(
        self,
        journal: RunJournal,
        submitted: SubmitPrompt,
        priority: Priority,
        *,
        served: frozenset[str],
        waits: WaitReporter,
        stages: StageReader,
    ) -> None:
        self.run_id = journal.run_id
        self._journal = journal
        self._submitted = submitted
        self._priority = priority
        self._served = served
        self._waits = waits
        self._stages = stages
        self._watched: Watched | None = None
        self._asking: str | None = None
        self._cancelled_at_s: float | None = None
        self._deadline_s = submitted.deadline_s or DEFAULT_DEADLINE_S
        self._started_s = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: there is an outcome, and a summary of an answer."""
        outcome = self._journal.outcome
        if isinstance(outcome, RunAnswered):
            return self._journal.get(f"{ActorKind.SUMMARIZER}/1") is not None
        return outcome is not None

    @property
    def outcome(self) -> Outcome | None:
        """The run's final event, once there is one: its own, or what somebody else wrote first."""
        return self._journal.outcome

    @property
    def deadline_s(self) -> float:
        """Seconds this lease may take."""
        return max(0.0, self._deadline_s - (time.monotonic() - self._started_s))

    async def count_time(self, accepted_at_s: float, clock: ServerClock) -> None:
        """Let the deadline count what has passed already, by the server's clock.

        A deadline that the prompt names counts from its acceptance, time in the queue included;
        the default one from the first lease. Raises: BusUnavailable.
        """
        if self._submitted.deadline_s is not None:
            spent_s = await clock.age_s(accepted_at_s)
        elif self._journal.begun_at is not None:
            spent_s = await clock.age_s(self._journal.begun_at)
        else:
            return
        self._started_s = time.monotonic() - spent_s

    async def conduct(self, graph: RunGraph) -> None:
        """Run the graph under the run's deadline, until its end or the wish to cancel it."""
        done, fault = anyio.Event(), None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_when_cancelled, tasks.cancel_scope, done)
            try:
                with anyio.move_on_after(self.deadline_s) as scope:
                    await graph.ainvoke(
                        self._initial_state(),
                        _CONFIG,
                        context=RunContext(self),
                        # The outcome is in the journal; reading one channel costs least.
                        output_keys="priority",
                    )
            except (StepError, PromptbusError) as exc:
                fault = exc
            done.set()
            tasks.cancel_scope.cancel()
        await self._finish_cancelled()
        if isinstance(fault, StepError):
            await self.finish(
                RunFailed(run_id=self.run_id, error=fault.failed.error, step=fault.step)
            )
        elif fault is not None:
            raise fault
        elif scope.cancelled_caught:
            await self.finish_late()

    def _initial_state(self) -> RunState:
        """The state before the first node."""
        return {
            "submitted": self._submitted,
            "priority": self._priority,
            "served": self._served,
            "max_attempts": self._submitted.max_attempts or GENERATIONS.num_tries,
            "generations": [],
            "validations": [],
        }

    async def begin(self, started: RunStarted) -> None:
        """Write the first event, unless the journal has it."""
        await self._journal.begin(started)

    async def ask(self, task: Task) -> StepEvent:
        """The one result of that step; later attempts wait a little before they are asked for."""
        if self._journal.get(task.step) is None:
            self._asking = task.step
            if task.attempt > 1 and task.actor is ActorKind.EXECUTOR:
                await anyio.sleep(_pause_before_s(task.attempt))
        deadline_s = self._step_deadline_s(task.actor)
        if not isinstance(task, (DecideResources, GenerateAnswer)):
            return await self._journal.ask(task, deadline_s=deadline_s)
        with self._waits.watch(task) as watched:
            self._watched = watched
            return await self._journal.ask(task, deadline_s=deadline_s, on_sent=watched.on_sent)

    def _step_deadline_s(self, actor: ActorKind) -> float:
        """The step's own deadline; the run's ends every step but the summary, which follows it."""
        own_s = STEP_DEADLINES_S.get(actor, self._deadline_s)
        if actor is ActorKind.SUMMARIZER:
            return own_s
        left_s = self._deadline_s - (time.monotonic() - self._started_s)
        return max(min(own_s, left_s), 0.1)

    async def finish(self, outcome: Outcome) -> None:
        """Write the outcome; an earlier one stands."""
        if self._journal.outcome is None:
            await self._journal.write(subjects.OUTCOME, outcome)

    async def finish_late(self) -> None:
        """The deadline of the whole run has passed."""
        where = f" at step {self._asking}" if self._asking else ""
        error = DeadlineExceeded(what=f"the run{where}", deadline_s=self._deadline_s)
        # Nothing was asked for yet: the time was spent in the queue.
        await self.fail(error, None if self._asking else RunStage.QUEUED)

    async def fail(self, error: PromptbusError, stage: RunStage | None = None) -> None:
        """The run cannot go on from the step it is at."""
        failed = RunFailed(
            run_id=self.run_id,
            error=error.to_wire(),
            step=self._asking,
            stage=stage or await self._stage(),
        )
        await self.finish(failed)

    async def _stage(self) -> RunStage:
        is_taken = True
        if self._watched is not None and self._watched.task.step == self._asking:
            is_taken = not await self._waits.is_queued(self._watched)
        return await self._stages.read(self.run_id, self._asking, is_taken=is_taken)

    async def _end_when_cancelled(self, scope: anyio.CancelScope, done: anyio.Event) -> None:
        """Stop leading as soon as the journal says that the run is cancelled, or has ended so."""
        await self._journal.cancelled.wait()
        outcome = self._journal.outcome
        if done.is_set() or isinstance(outcome, RunAnswered):
            return
        if outcome is None:
            self._cancelled_at_s = time.monotonic()
        scope.cancel()

    async def _finish_cancelled(self) -> None:
        """The outcome of a cancelled run; nothing for any other."""
        request = self._journal.get(subjects.CANCEL)
        if self._cancelled_at_s is None or not isinstance(request, CancelRequested):
            return
        stage = await self._stage()
        cancel_ms = (time.monotonic() - self._cancelled_at_s) * 1000
        await self.finish(
            RunCancelled(
                run_id=self.run_id,
                step=self._asking,
                stage=stage,
                cancel_ms=round(cancel_ms, 3),
                reason=request.reason,
            )
        )

    def totals(self) -> tuple[StepTotals, ...]:
        """What the steps so far took."""
        return tuple(
            StepTotals(step=step, duration_ms=event.duration_ms)
            for step, event in self._journal.steps()
        )


def _pause_before_s(attempt: int) -> float:
    return backoff_s(attempt - 1, base_s=GENERATIONS.base_s, max_s=GENERATIONS.max_s)
