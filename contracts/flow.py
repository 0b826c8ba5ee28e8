"""The way of a run as boxes and arrows, drawn from its spans; pure.

The declared graph lies below: what a run has not reached yet is pending, what it never reached was
skipped. It is the same picture wherever the spans come from.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from contracts import semconv
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
from contracts.semconv import Role
from contracts.span import NS_PER_MS, AttributeValue, Span, merge_spans

NodeState = Literal["pending", "running", "done", "failed", "cancelled", "skipped"]
EdgeKind = Literal["next", "retry", "declared"]

# The way of a run that needs one attempt; a later one goes from the validator back.
_DECLARED: Final = (
    (ActorKind.ANALYZER, ActorKind.MONITOR),
    (ActorKind.HISTORY, ActorKind.MONITOR),
    (ActorKind.MONITOR, ActorKind.EXECUTOR),
    (ActorKind.EXECUTOR, ActorKind.VALIDATOR),
    (ActorKind.VALIDATOR, ActorKind.SUMMARIZER),
)
_NODES: Final = tuple(kind for kind in ActorKind if kind is not ActorKind.COORDINATOR)


class FlowNode(Message):
    """One step as a box; all times in milliseconds.

    ``start_ms`` counts from the beginning of the run to when the step was asked for, ``total_ms``
    from there until its event was stored. Of that it waited ``queue_ms`` (for its actor, and there
    for the model), and the actor worked ``duration_ms``: ``load_ms`` until the model was in memory,
    ``prefill_ms`` until the first token, ``decode_ms`` until the last. ``num_tries`` is how often
    the task was handed out.
    """

    id: str
    actor: str
    attempt: int
    state: NodeState
    duration_ms: float = 0.0
    detail: str = ""
    host: str = ""
    model: str | None = None
    start_ms: float | None = None
    queue_ms: float | None = None
    load_ms: float | None = None
    prefill_ms: float | None = None
    decode_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    num_tries: int = 1
    error: str = ""

    @property
    def is_visited(self) -> bool:
        """Whether the run has been there."""
        return self.state not in {"pending", "skipped"}


class FlowEdge(Message):
    """From which step the run went on to which; ``declared``: where it may yet go, or did not."""

    source: str
    target: str
    kind: EdgeKind = "next"


class Flow(Message):
    """The way of a run."""

    nodes: tuple[FlowNode, ...] = ()
    edges: tuple[FlowEdge, ...] = ()


def build_flow(spans: Iterable[Span]) -> Flow:
    """Boxes and arrows of one run, in the order of its steps; spans that are not ours are ignored.

    Empty where there are none of ours at all. Spans may come in any order, several times, and
    without some of the others: what is missing is not drawn, or drawn without its numbers.
    """
    merged = merge_spans(spans)
    steps = [span for span in merged if span.role == Role.STEP]
    root = next((span for span in merged if span.role == Role.RUN), None)
    if not steps and root is None:
        return Flow()
    parts = _parts(merged)
    begin_ns = root.start_ns if root is not None else min(span.start_ns for span in steps)
    visited = [_node(span, parts.get(_step(span), []), root, begin_ns) for span in steps]
    taken = [edge for span in steps for edge in _edges(span)]
    is_over = root is not None and not root.is_open
    declared = _unvisited(visited, is_over=is_over) if _is_led(merged) else []
    nodes = (*visited, *declared)
    return Flow(nodes=nodes, edges=(*taken, *_declared_edges(nodes, taken, declared)))


def with_details(flow: Flow, journal: Sequence[JournalEntry]) -> Flow:
    """The same flow with what each step found, which spans do not tell."""
    events = {
        entry.subject.step: entry.event for entry in journal if isinstance(entry.event, StepEvent)
    }
    nodes = tuple(
        node.model_copy(update={"detail": describe(events[node.id])}) if node.id in events else node
        for node in flow.nodes
    )
    return flow.model_copy(update={"nodes": nodes})


def _parts(spans: Iterable[Span]) -> Mapping[str, list[Span]]:
    """The tries and generations of each step, in the order of their beginnings."""
    found: dict[str, list[Span]] = {}
    for span in spans:
        if span.role in {Role.WORK, Role.GENERATION}:
            found.setdefault(_step(span), []).append(span)
    return found


def _node(step: Span, parts: Sequence[Span], root: Span | None, begin_ns: int) -> FlowNode:
    tries = [span for span in parts if span.role == Role.WORK]
    last = max(tries, key=lambda span: _int(span.attributes, semconv.NUM_DELIVERED), default=None)
    generation = next((span for span in parts if span.role == Role.GENERATION), None)
    told = generation.attributes if generation is not None else {}
    model = told.get(semconv.GEN_AI_RESPONSE_MODEL)
    return FlowNode(
        id=_step(step),
        actor=str(step.attributes.get(semconv.ACTOR, "")),
        attempt=_int(step.attributes, semconv.ATTEMPT),
        state=_state(step, root),
        duration_ms=_ms(step.attributes, semconv.WORK_MS) or 0.0,
        host=last.host if last is not None else "",
        model=str(model) if model is not None else None,
        start_ms=_between_ms(begin_ns, step.start_ns),
        queue_ms=_queue_ms(step, last, told),
        load_ms=_ms(told, semconv.LOAD_MS),
        prefill_ms=_ms(told, semconv.PREFILL_MS),
        decode_ms=_ms(told, semconv.DECODE_MS),
        total_ms=None if step.end_ns is None else _between_ms(step.start_ns, step.end_ns),
        prompt_tokens=_int(told, semconv.GEN_AI_INPUT_TOKENS) if told else None,
        completion_tokens=_int(told, semconv.GEN_AI_OUTPUT_TOKENS) if told else None,
        num_tries=_int(last.attributes, semconv.NUM_DELIVERED) if last is not None else 1,
        error=step.error,
    )


def _state(step: Span, root: Span | None) -> NodeState:
    if step.is_open:
        # Its run may have ended while nobody could close it.
        return "running" if root is None or root.is_open else "cancelled"
    if step.error:
        return "failed"
    return "cancelled" if step.attributes.get(semconv.UNANSWERED) else "done"


def _queue_ms(step: Span, last: Span | None, told: Mapping[str, AttributeValue]) -> float | None:
    """In the queue of its actor, and there for its model."""
    waited_ms = _ms(step.attributes, semconv.QUEUE_MS)
    if waited_ms is None and last is not None:
        waited_ms = _between_ms(step.start_ns, last.start_ns)
    if waited_ms is None:
        return None
    return round(waited_ms + (_ms(told, semconv.QUEUE_MS) or 0.0), 3)


def _edges(step: Span) -> list[FlowEdge]:
    after = str(step.attributes.get(semconv.AFTER, ""))
    is_retry = (
        step.attributes.get(semconv.ACTOR) == ActorKind.EXECUTOR
        and _int(step.attributes, semconv.ATTEMPT) > 1
    )
    kind: EdgeKind = "retry" if is_retry else "next"
    return [
        FlowEdge(source=source, target=_step(step), kind=kind)
        for source in after.split(",")
        if source
    ]


def _is_led(spans: Iterable[Span]) -> bool:
    """Whether the run goes the declared way: a direct generation does not."""
    return any(span.role == Role.LEAD for span in spans)


def _unvisited(visited: Sequence[FlowNode], *, is_over: bool) -> list[FlowNode]:
    actors = {node.actor for node in visited}
    state: NodeState = "skipped" if is_over else "pending"
    return [
        FlowNode(id=f"{kind}/1", actor=kind, attempt=1, state=state)
        for kind in _NODES
        if kind not in actors
    ]


def _declared_edges(
    nodes: Sequence[FlowNode], taken: Sequence[FlowEdge], declared: Sequence[FlowNode]
) -> list[FlowEdge]:
    """Arrows to and from what was not visited, from the last step there to the first."""
    unvisited = {node.actor for node in declared}
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for node in nodes:
        first.setdefault(node.actor, node.id)
        last[node.actor] = node.id
    drawn = {(edge.source, edge.target) for edge in taken}
    return [
        FlowEdge(source=last[source], target=first[target], kind="declared")
        for source, target in _DECLARED
        if (source in unvisited or target in unvisited)
        and (last[source], first[target]) not in drawn
    ]


def _step(span: Span) -> str:
    return str(span.attributes.get(semconv.STEP, ""))


def _ms(attributes: Mapping[str, AttributeValue], name: str) -> float | None:
    value = attributes.get(name)
    return round(float(value), 3) if isinstance(value, (int, float)) else None


def _int(attributes: Mapping[str, AttributeValue], name: str) -> int:
    value = attributes.get(name)
    return int(value) if isinstance(value, (int, float)) else 0


def _between_ms(begin_ns: int, end_ns: int) -> float:
    return round((end_ns - begin_ns) / NS_PER_MS, 3)


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
