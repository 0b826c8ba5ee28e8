"""Any interleaving of leases, crashes, deliveries, doubles and losses gives a run one outcome.

The real journal of a coordinator and the real graph run over a small bus, turn by turn of the
event loop, in the order that hypothesis chooses.
"""

import asyncio
from contextlib import suppress
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.actor import failed_step
from actors.coordinator.graph import build_graph
from actors.coordinator.led_run import LedRun
from actors.coordinator.wait_reporter import WaitReporter
from bus.run_journal import RunJournal
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput, ProviderFailed
from contracts.event import (
    AnswerGenerated,
    CancelRequested,
    Event,
    HistoryRecalled,
    OutputValidated,
    PromptAnalyzed,
    ResourcesDecided,
    RunAnswered,
    RunCancelled,
    RunFailed,
    RunStarted,
    RunSummarized,
    StepEvent,
)
from contracts.journal_entry import JournalEntry
from contracts.prompt import Priority, SubmitPrompt, TaskType
from contracts.run_id import derive_run_id
from contracts.task import Task
from tests.actors.coordinator.small_bus import Process, SmallBus, SmallLoop, SmallStages, no_facts
from tests.contracts.journals import result

RUN_ID = derive_run_id(1_700_000_000_000, "interleavings")
PROMPT = SubmitPrompt(prompt="hi", run_id=RUN_ID, max_attempts=2)
BEGUN = RunStarted(run_id=RUN_ID, submitted=PROMPT)
GRAPH = build_graph()
# Turns of the loop in which everything that can go on by itself has gone on.
QUIET_TURNS = 60
MAX_ROUNDS = 60

results = st.sampled_from(["good", "bad", "retryable", "permanent"])
places = st.integers(0, 50)


def event_of(task: Task, kind: str) -> StepEvent:
    """What an actor makes of ``task``; every kind of end there is."""
    named = {"run_id": task.run_id, "attempt": task.attempt}
    if kind == "retryable":
        return failed_step(task, ProviderFailed(provider="p", reason="busy"))
    if kind == "permanent":
        return failed_step(task, InvalidInput(field="prompt", reason="is wrong"))
    made: dict[ActorKind, StepEvent] = {
        ActorKind.ANALYZER: PromptAnalyzed(**named, task_type=TaskType.CHAT, language="en"),
        ActorKind.HISTORY: HistoryRecalled(**named),
        ActorKind.MONITOR: ResourcesDecided(
            **named, model="m", strategy="standard", reason="", fallbacks=("n",)
        ),
        ActorKind.EXECUTOR: AnswerGenerated(**named, result=result(f"answer {task.attempt}")),
        ActorKind.VALIDATOR: OutputValidated(
            **named,
            score=90 if kind == "good" else 10,
            verdict="accept" if kind == "good" else "retry",
        ),
        ActorKind.SUMMARIZER: RunSummarized(**named, title="t", summary="s"),
    }
    return made[task.actor]


def somebody_leads(machine: "Interleavings") -> bool:
    """Whether a coordinator lives."""
    return bool(machine.leading)


def has_tasks(machine: "Interleavings") -> bool:
    """Whether a task waits."""
    return bool(machine.bus.tasks)


def is_worked_on(machine: "Interleavings") -> bool:
    """Whether an actor is at work."""
    return bool(machine.in_hand)


def has_news(machine: "Interleavings") -> bool:
    """Whether an event was not republished yet."""
    return bool(machine.bus.news)


class Interleavings(RuleBasedStateMachine):
    """Coordinators and actors that come, die and go on in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = SmallLoop()
        self.bus = SmallBus(RUN_ID)
        self.leading: list[tuple[asyncio.Task[None], Process]] = []
        self.in_hand: list[tuple[int, str, StepEvent]] = []
        self.first: dict[str, JournalEntry] = {}
        self.num_leases = 0
        self.num_ended = 0

    def turn(self, number: int) -> None:
        """Let the loop go round so often."""

        async def rest() -> None:
            for _ in range(number):
                await asyncio.sleep(0)

        self.loop.run_until_complete(rest())

    @rule(turns=st.integers(0, QUIET_TURNS))
    def lease(self, turns: int) -> None:
        """A coordinator takes the run up; another one may lead it still."""
        if len(self.leading) >= 3:
            return
        self.num_leases += 1
        process = Process(self.bus)
        self.bus.processes.append(process)
        work = self.loop.create_task(self._lead(process, self.num_leases))
        self.leading.append((work, process))
        self.turn(turns)

    async def _lead(self, process: Process, num_delivered: int) -> None:
        anything = cast(Any, process)
        journal = RunJournal(
            RUN_ID,
            connection=anything,
            journal=anything,
            stored=anything,
            publisher=anything,
            taken_over=num_delivered > 1,
            is_new=num_delivered == 1,
        )
        async with journal:
            run = LedRun(
                journal,
                PROMPT,
                Priority.NORMAL,
                served=frozenset(),
                waits=WaitReporter(anything, no_facts),
                stages=cast(Any, SmallStages()),
            )
            if not run.is_over:
                await run.begin(BEGUN)
            if not run.is_over:
                await run.conduct(GRAPH)
        assert run.outcome == self.bus.journal[subjects.OUTCOME].event
        self.num_ended += 1

    @precondition(somebody_leads)
    @rule(place=places)
    def crash(self, place: int) -> None:
        """A coordinator ends, wherever it is."""
        work, process = self.leading.pop(place % len(self.leading))
        self.bus.processes.remove(process)
        work.cancel()
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(work)
        # The graph ends its nodes a little later.
        self.turn(QUIET_TURNS)

    @precondition(has_tasks)
    @rule(place=places, kind=results, is_doubled=st.booleans())
    def begin_work(self, place: int, kind: str, is_doubled: bool) -> None:
        """An actor takes a task and works; the task may come a second time."""
        queued = self.bus.tasks.pop(place % len(self.bus.tasks))
        task = queued.task
        if is_doubled:
            self.bus.tasks.append(queued)
        if (task.ask > 1 or is_doubled) and task.step in self.bus.journal:
            return
        self.bus.taken.add(queued.sequence)
        subject = subjects.step_event(task.run_id, task.actor, task.attempt)
        self.in_hand.append((queued.sequence, subject, event_of(task, kind)))

    @precondition(has_tasks)
    @rule(place=places, kind=results, is_doubled=st.booleans())
    def work(self, place: int, kind: str, is_doubled: bool) -> None:
        """An actor does a task, and everybody hears of it: how it nearly always goes."""
        self.begin_work(place, kind, is_doubled)
        while self.in_hand:
            self.end_work(0)
        while self.bus.news:
            self.bus.tell(self.bus.news.pop(0))
        self.turn(QUIET_TURNS)

    @precondition(is_worked_on)
    @rule(place=places)
    def end_work(self, place: int) -> None:
        """An actor writes its result, or finds that another one did."""
        sequence, subject, event = self.in_hand.pop(place % len(self.in_hand))
        self.bus.store(subject, event)
        self.bus.taken.discard(sequence)

    @precondition(is_worked_on)
    @rule(place=places)
    def die_at_work(self, place: int) -> None:
        """An actor ends before it wrote, and its task with the server's memory."""
        sequence, _, _ = self.in_hand.pop(place % len(self.in_hand))
        self.bus.taken.discard(sequence)

    @precondition(has_tasks)
    @rule(place=places)
    def lose_task(self, place: int) -> None:
        """A task vanishes with the server's memory."""
        self.bus.tasks.pop(place % len(self.bus.tasks))

    @precondition(has_news)
    @rule(place=places, turns=st.integers(0, QUIET_TURNS), is_lost=st.booleans())
    def republish(self, place: int, turns: int, is_lost: bool) -> None:
        """Everybody hears of an event, in any order, or nobody does."""
        entry = self.bus.news.pop(place % len(self.bus.news))
        if not is_lost:
            self.bus.tell(entry)
        self.turn(turns)

    @rule(turns=st.integers(0, QUIET_TURNS))
    def reconnect(self, turns: int) -> None:
        """The bus was away and is back: whoever waits looks again."""
        for process in self.bus.processes:
            for callback in tuple(process.callbacks):
                self.loop.run_until_complete(callback())
        self.turn(turns)

    @rule()
    def cancel(self) -> None:
        """Somebody wants the run to end."""
        wish = CancelRequested(run_id=RUN_ID)
        self.bus.store(subjects.run_event(RUN_ID, subjects.CANCEL), wish)

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 30.0]), turns=st.integers(1, QUIET_TURNS))
    def go_on(self, seconds: float, turns: int) -> None:
        """Time passes."""
        self.loop.now_s += seconds
        self.turn(turns)

    @invariant()
    def has_one_outcome_that_stays(self) -> None:
        """What was written stays, the outcome above all, which follows from the journal."""
        self.first = {**self.bus.journal, **self.first}
        assert self.bus.journal == self.first
        found = self.bus.journal.get(subjects.OUTCOME)
        if found is not None:
            self._check(found.event)

    @invariant()
    def keeps_to_its_attempts(self) -> None:
        """No more generations than the prompt allows, each after the one before."""
        attempts = [one for one in self.bus.journal if one.startswith(ActorKind.EXECUTOR)]
        assert attempts in (["executor/1"], ["executor/1", "executor/2"], [])

    @invariant()
    def nobody_failed(self) -> None:
        """No coordinator ended by an error of its own."""
        for work, _ in self.leading:
            if work.done():
                work.result()

    def _check(self, outcome: Event) -> None:
        events = [entry.event for entry in self.bus.journal.values()]
        match outcome:
            case RunAnswered(result=answered):
                generated = [one for one in events if isinstance(one, AnswerGenerated)]
                assert answered in [one.result for one in generated]
            case RunCancelled():
                assert any(isinstance(one, CancelRequested) for one in events)
            case _:
                assert isinstance(outcome, RunFailed)

    def teardown(self) -> None:
        """Once nothing dies any more, the run ends, and whoever leads it knows how."""
        try:
            self.lease(QUIET_TURNS)
            for _ in range(MAX_ROUNDS):
                self._heal()
                self.has_one_outcome_that_stays()
                self.nobody_failed()
                if all(work.done() for work, _ in self.leading):
                    break
            assert all(work.done() for work, _ in self.leading), list(self.bus.journal)
            assert subjects.OUTCOME in self.bus.journal
        finally:
            while self.leading:
                self.crash(0)
            while left := asyncio.all_tasks(self.loop):
                for task in left:
                    task.cancel()
                self.turn(QUIET_TURNS)
            self.loop.close()

    def _heal(self) -> None:
        """Everything that is under way arrives, and everybody looks again."""
        while self.bus.tasks:
            self.begin_work(0, "good", False)
        while self.in_hand:
            self.end_work(0)
        while self.bus.news:
            self.bus.tell(self.bus.news.pop(0))
        self.reconnect(QUIET_TURNS)
        self.go_on(4.0, QUIET_TURNS)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
