"""Journals as runs of any kind write them: whole or begun, with retries, failures and cancels."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st

from contracts import subjects
from contracts.actor_kind import ActorKind
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
    StepFailed,
)
from contracts.generation import GenerationResult, Usage
from contracts.journal_entry import JournalEntry
from contracts.prompt import Priority, SubmitPrompt, TaskType
from contracts.run_id import derive_run_id
from contracts.subjects import RunSubject
from tests.contracts.journals import BEGIN, ERROR, RUN_ID

TEXT = "the lighthouse keeper's parrot"
OTHER_RUN = derive_run_id(1_700_000_000_000, "other")
TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


@dataclass(frozen=True)
class Line:
    """An event, how long after the one before it was stored, and by whom."""

    event: Event
    after_us: int
    writer: str


milliseconds = st.integers(0, 5_000_000).map(lambda number: number / 1000)
hosts = st.sampled_from(["promptbus/main/one-11", "promptbus/executor/gpu-2-77", "somebody", ""])


@st.composite
def results(draw: st.DrawFn) -> GenerationResult:
    """What a model answered, with times that fit together."""
    queue_ms, load_ms = draw(milliseconds), draw(st.just(0.0) | milliseconds)
    prefill_ms, decode_ms = draw(milliseconds), draw(milliseconds)
    first_ms = round(queue_ms + load_ms + prefill_ms, 3)
    return GenerationResult(
        output=TEXT,
        model=draw(st.sampled_from(["pocket", "org/big.model"])),
        strategy="standard",
        provider=draw(st.sampled_from(["local", "openai", "echo"])),
        source=draw(st.sampled_from(["local", "remote"])),
        finish_reason=draw(st.sampled_from(["stop", "length", "cancelled"])),
        cache_hit=draw(st.booleans()),
        queue_time_ms=queue_ms,
        load_time_ms=load_ms,
        first_token_ms=draw(st.none() | st.just(first_ms)),
        total_time_ms=round(first_ms + decode_ms, 3),
        fallback_from=draw(st.none() | st.just("tiny")),
        usage=Usage(prompt_tokens=draw(st.integers(0, 9000)), completion_tokens=7, total_tokens=7),
    )


@st.composite
def _attempts(draw: st.DrawFn) -> list[StepEvent]:
    """Executor and validator by turns, the last of them good or not."""
    found: list[StepEvent] = []
    for attempt in range(1, draw(st.integers(1, 4)) + 1):
        if draw(st.integers(0, 3)) == 0:
            found.append(_failed(ActorKind.EXECUTOR, attempt))
            continue
        answer = AnswerGenerated(run_id=RUN_ID, attempt=attempt, result=draw(results()))
        verdict = draw(st.sampled_from(["accept", "retry"]))
        found += (
            answer,
            OutputValidated(run_id=RUN_ID, attempt=attempt, score=50, verdict=verdict),
        )
    return found


def _failed(actor: ActorKind, attempt: int = 1) -> StepFailed:
    return StepFailed(run_id=RUN_ID, attempt=attempt, actor=actor, error=ERROR)


@st.composite
def led_journals(draw: st.DrawFn) -> list[JournalEntry]:
    """A run that a coordinator leads: over, or as far as it has come."""
    prompt = SubmitPrompt(
        prompt=TEXT,
        run_id=RUN_ID,
        session_id=draw(st.none() | st.just(TEXT)),
        replay_of=draw(st.none() | st.just(OTHER_RUN)),
    )
    started = RunStarted(
        run_id=RUN_ID,
        submitted=prompt,
        priority=draw(st.sampled_from(Priority)),
        accepted_at=draw(st.none() | st.just(BEGIN - timedelta(milliseconds=3))),
        source=draw(hosts),
        traceparent=draw(st.none() | st.just(TRACEPARENT) | st.just("nonsense")),
    )
    beginning: list[StepEvent] = [
        PromptAnalyzed(run_id=RUN_ID, task_type=TaskType.CHAT, language="en"),
        draw(st.sampled_from([HistoryRecalled(run_id=RUN_ID), _failed(ActorKind.HISTORY)])),
    ]
    steps = draw(st.permutations(beginning))
    if draw(st.booleans()):
        steps.append(
            ResourcesDecided(run_id=RUN_ID, model="pocket", strategy="standard", reason="there")
        )
    steps += draw(_attempts())
    num_done = draw(st.integers(0, len(steps)))
    return draw(_stored([started, *steps[:num_done], *draw(_endings(steps, num_done))]))


@st.composite
def _endings(draw: st.DrawFn, steps: list[StepEvent], num_done: int) -> list[Event]:
    pending = steps[num_done] if num_done < len(steps) else None
    at = None
    if pending is not None:
        kind = pending.actor if isinstance(pending, StepFailed) else pending.node
        at = f"{kind}/{pending.attempt}"
    cancelled = RunCancelled(run_id=RUN_ID, step=at)
    late = [pending] if pending is not None and draw(st.booleans()) else []
    match draw(st.sampled_from(["open", "answered", "failed", "cancelled", "unsummarized"])):
        case "failed":
            return [RunFailed(run_id=RUN_ID, error=ERROR, step=at), *late]
        case "cancelled":
            return [CancelRequested(run_id=RUN_ID), cancelled, *late]
        case ("answered" | "unsummarized") as how if pending is None:
            answered = RunAnswered(
                run_id=RUN_ID,
                output=TEXT,
                task_type=TaskType.CHAT,
                score=90,
                result=draw(results()),
            )
            summary = RunSummarized(run_id=RUN_ID, title=TEXT, summary=TEXT)
            return [answered, summary] if how == "answered" else [answered]
    return []


@st.composite
def _stored(draw: st.DrawFn, events: list[Event]) -> list[JournalEntry]:
    found: list[JournalEntry] = []
    moment = BEGIN
    for number, event in enumerate(events):
        stored = event
        if isinstance(event, StepEvent):
            update = {
                "duration_ms": draw(milliseconds),
                "num_delivered": draw(st.sampled_from([1, 1, 1, 2, 3, 0])),
            }
            stored = event.model_copy(update=update)
        found.append(JournalEntry(_place(stored), stored, number + 1, moment, draw(hosts), "n"))
        moment += timedelta(microseconds=draw(st.integers(1, 4_000_000)))
    return found


def _place(event: Event) -> RunSubject:
    match event:
        case RunStarted():
            return RunSubject(event.run_id, subjects.STARTED)
        case CancelRequested():
            return RunSubject(event.run_id, subjects.CANCEL)
        case StepFailed():
            return RunSubject(event.run_id, event.actor, event.attempt)
        case StepEvent():
            return RunSubject(event.run_id, str(event.node), event.attempt)
    return RunSubject(event.run_id, subjects.OUTCOME)
