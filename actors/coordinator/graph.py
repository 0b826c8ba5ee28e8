"""The LangGraph graph of a run: nodes of one line of intent, pure routes between them."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from actors.coordinator.attempt import plan_attempt
from actors.coordinator.plan import (
    plan_decision,
    plan_outcome,
    plan_summary,
    plan_validation,
)
from actors.coordinator.routes import (
    route_after_analysis,
    route_after_execution,
    route_after_validation,
)
from actors.coordinator.run_state import RunState, added
from contracts.event import (
    AnswerGenerated,
    HistoryRecalled,
    Outcome,
    OutputValidated,
    PromptAnalyzed,
    ResourcesDecided,
    StepEvent,
    StepFailed,
)
from contracts.task import AnalyzePrompt, RecallHistory, StepTotals, Task


class StepError(Exception):
    """A step without which the run cannot go on has failed."""

    def __init__(self, step: str, failed: StepFailed) -> None:
        super().__init__(failed.error.message)
        self.step = step
        self.failed = failed


class Conductor(Protocol):
    """What the nodes may do: ask for a step, and write the outcome."""

    run_id: str

    async def ask(self, task: Task) -> StepEvent:
        """The one result of that step."""

    async def finish(self, outcome: Outcome) -> None:
        """Write the outcome, once."""

    def totals(self) -> tuple[StepTotals, ...]:
        """What the steps so far took."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What LangGraph hands every node besides the state."""

    conductor: Conductor


GraphRuntime = Runtime[RunContext]
EventT = TypeVar("EventT", bound=StepEvent)


async def analyzer(
    state: RunState, runtime: GraphRuntime
) -> Command[Literal["monitor", "executor"]]:
    """What kind of prompt is it?"""
    task = AnalyzePrompt(run_id=runtime.context.conductor.run_id, prompt=state["submitted"].text)
    found: RunState = {"analysis": await _need(runtime, task, PromptAnalyzed)}
    return Command(update=found, goto=route_after_analysis(state))


async def history(state: RunState, runtime: GraphRuntime) -> RunState:
    """What was said before in this session? A run goes on without it."""
    task = RecallHistory(
        run_id=runtime.context.conductor.run_id, session_id=state["submitted"].session_id
    )
    event = await runtime.context.conductor.ask(task)
    return {"history": event} if isinstance(event, HistoryRecalled) else {}


async def monitor(state: RunState, runtime: GraphRuntime) -> RunState:
    """Which model, run how?"""
    task = plan_decision(runtime.context.conductor.run_id, state)
    return {"resources": await _need(runtime, task, ResourcesDecided)}


async def executor(
    state: RunState, runtime: GraphRuntime
) -> Command[Literal["validator", "executor", "outcome"]]:
    """Generate an answer."""
    event = await runtime.context.conductor.ask(
        plan_attempt(runtime.context.conductor.run_id, state)
    )
    found: RunState = {"generations": [event]} if isinstance(event, AnswerGenerated) else {}
    if not found:
        failed = _expect(event, StepFailed)
        found = {"generations": [failed], "validations": [failed]}
    return Command(update=found, goto=route_after_execution(added(state, found)))


async def validator(
    state: RunState, runtime: GraphRuntime
) -> Command[Literal["executor", "outcome"]]:
    """Is it worth giving to the person?"""
    event = await runtime.context.conductor.ask(
        plan_validation(runtime.context.conductor.run_id, state)
    )
    kept = event if isinstance(event, OutputValidated) else _expect(event, StepFailed)
    found: RunState = {"validations": [kept]}
    return Command(update=found, goto=route_after_validation(added(state, found)))


async def outcome(state: RunState, runtime: GraphRuntime) -> RunState:
    """The one final event."""
    await runtime.context.conductor.finish(plan_outcome(runtime.context.conductor.run_id, state))
    return {}


async def summarizer(state: RunState, runtime: GraphRuntime) -> RunState:
    """Title and totals; the run has its outcome already, so nothing waits for them."""
    await runtime.context.conductor.ask(
        plan_summary(runtime.context.conductor.run_id, runtime.context.conductor.totals(), state)
    )
    return {}


RunGraph = CompiledStateGraph[RunState, RunContext, RunState, RunState]


def build_graph() -> RunGraph:
    """The graph every run is led through; compiled once per process."""
    graph = StateGraph(RunState, context_schema=RunContext)
    for node in (analyzer, history, monitor, executor, validator, outcome, summarizer):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "analyzer")
    graph.add_edge(START, "history")
    graph.add_edge("monitor", "executor")
    graph.add_edge("outcome", "summarizer")
    graph.add_edge("summarizer", END)
    return graph.compile()


async def _need(runtime: GraphRuntime, task: Task, kind: type[EventT]) -> EventT:
    """The step's result; raises StepError where it failed."""
    return _expect(await runtime.context.conductor.ask(task), kind)


def _expect(event: StepEvent, kind: type[EventT]) -> EventT:
    if isinstance(event, kind):
        return event
    if isinstance(event, StepFailed):
        raise StepError(f"{event.actor}/{event.attempt}", event)
    raise TypeError(f"expected {kind.__name__}, the journal holds {type(event).__name__}")
