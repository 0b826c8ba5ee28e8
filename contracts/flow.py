"""The way of a run as boxes and arrows, computed from its journal."""

from collections.abc import Sequence

from contracts.actor_kind import ActorKind
from contracts.event import (
    AnswerGenerated,
    HistoryRecalled,
    OutputValidated,
    PromptAnalyzed,
    ResourcesDecided,
    RunSummarized,
    StepEvent,
    StepFailed,
)
from contracts.journal_entry import JournalEntry
from contracts.message import Message


class FlowNode(Message):
    """One step as a box: its actor, attempt, state and how long the actor worked."""

    id: str
    actor: str
    attempt: int
    state: str
    duration_ms: float = 0.0
    detail: str = ""


class FlowEdge(Message):
    """From which step the run went on to which."""

    source: str
    target: str


class Flow(Message):
    """The way of a run."""

    nodes: tuple[FlowNode, ...] = ()
    edges: tuple[FlowEdge, ...] = ()


# The two steps side by side at the beginning of every run.
_BEGINNING = (ActorKind.ANALYZER, ActorKind.HISTORY)
# What a step may follow; of these the flow takes the one stored last.
_FOLLOWS: dict[ActorKind, tuple[ActorKind, ...]] = {
    ActorKind.EXECUTOR: (ActorKind.VALIDATOR, ActorKind.EXECUTOR, ActorKind.MONITOR),
    ActorKind.VALIDATOR: (ActorKind.EXECUTOR,),
    ActorKind.SUMMARIZER: (ActorKind.VALIDATOR, ActorKind.EXECUTOR),
}


def build_flow(journal: Sequence[JournalEntry]) -> Flow:
    """Boxes and arrows of the steps in ``journal``, in the order they were stored; pure."""
    nodes: list[FlowNode] = []
    edges: list[FlowEdge] = []
    latest: dict[ActorKind, str] = {}
    for entry in journal:
        if not isinstance(entry.event, StepEvent):
            continue
        kind = ActorKind(entry.subject.node)
        step = entry.subject.step
        nodes.append(_flow_node(kind, step, entry.event))
        edges.extend(FlowEdge(source=source, target=step) for source in _sources(kind, latest))
        latest.pop(kind, None)
        latest[kind] = step
    return Flow(nodes=tuple(nodes), edges=tuple(edges))


def _flow_node(kind: ActorKind, step: str, event: StepEvent) -> FlowNode:
    failed = isinstance(event, StepFailed)
    return FlowNode(
        id=step,
        actor=kind,
        attempt=event.attempt,
        state="failed" if failed else "done",
        duration_ms=event.duration_ms,
        detail=describe(event),
    )


def _sources(kind: ActorKind, latest: dict[ActorKind, str]) -> list[str]:
    """The steps that led to one of ``kind``; ``latest`` is in the order of storing."""
    for source in reversed(latest):
        if source in _FOLLOWS.get(kind, ()):
            return [latest[source]]
    if kind in {ActorKind.MONITOR, ActorKind.EXECUTOR}:
        return [latest[source] for source in _BEGINNING if source in latest]
    return []


def describe(event: StepEvent) -> str:
    """What a step found or did, in a few words."""
    match event:
        case PromptAnalyzed():
            text = f"{event.task_type}, {event.language}, {event.num_tokens} tokens"
        case HistoryRecalled():
            text = f"{len(event.turns)} earlier turns" if event.turns else "no earlier turns"
        case ResourcesDecided():
            text = f"{event.model} ({event.strategy}): {event.reason}"
        case AnswerGenerated(result=result):
            num_tokens = result.usage.completion_tokens
            text = f"{result.model}, {num_tokens} tokens, {result.finish_reason}"
        case OutputValidated():
            names = ", ".join(finding.name for finding in event.findings)
            text = f"{event.score}/100, {event.verdict}" + (f" ({names})" if names else "")
        case RunSummarized():
            text = event.title
        case StepFailed():
            text = event.error.message
        case _:
            text = ""
    return text
