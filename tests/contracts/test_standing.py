"""Where a run stands, told in one sentence from its journal and what lies around it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.actor_kind import ActorKind
from contracts.errors import ErrorInfo
from contracts.event import (
    AnswerGenerated,
    CancelRequested,
    Event,
    HistoryRecalled,
    OutputValidated,
    PromptSubmitted,
    ResourcesDecided,
    RunStarted,
    StepFailed,
)
from contracts.prompt import SubmitPrompt
from contracts.standing import Surroundings, describe_standing, next_steps
from contracts.wait_reason import ModelFacts, QueueState
from contracts.waiting import WaitCause, WaitNote
from tests.contracts.journals import RUN_ID, analyzed, journal, result
from tests.contracts.test_wait_reason import MODEL, facts, holding, host, report

EVERYBODY = dict.fromkeys(ActorKind, 1)
RECALLED = HistoryRecalled(run_id=RUN_ID)
CHOSEN = ResourcesDecided(run_id=RUN_ID, model=MODEL, strategy="standard", reason="best")
ANSWER = AnswerGenerated(run_id=RUN_ID, result=result())
BUSY = ErrorInfo(code="provider_failed", message="busy", retryable=True)


def begun(**wishes: object) -> RunStarted:
    """The first event of a prompt with those wishes."""
    submitted = SubmitPrompt.model_validate({"prompt": "hi", "run_id": RUN_ID, **wishes})
    return RunStarted(run_id=RUN_ID, submitted=submitted)


def judged(verdict: str, attempt: int = 1) -> OutputValidated:
    """The validator's word."""
    return OutputValidated.model_validate(
        {"run_id": RUN_ID, "attempt": attempt, "score": 50, "verdict": verdict}
    )


def failed(actor: ActorKind) -> StepFailed:
    """A step that may be tried again."""
    return StepFailed(run_id=RUN_ID, actor=actor, error=BUSY)


NAMED = begun(model=MODEL, strategy="standard")
ANALYZED = (begun(), analyzed(), RECALLED)


@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ((), ["coordinator"]),
        ((PromptSubmitted(run_id=RUN_ID, request_sha256="0"),), ["coordinator"]),
        ((begun(),), ["analyzer/1", "history/1"]),
        ((begun(), RECALLED), ["analyzer/1"]),
        (ANALYZED, ["monitor/1"]),
        ((NAMED, analyzed(), RECALLED), ["executor/1"]),
        ((*ANALYZED, CHOSEN), ["executor/1"]),
        ((*ANALYZED, CHOSEN, ANSWER), ["validator/1"]),
        ((*ANALYZED, CHOSEN, ANSWER, judged("retry")), ["executor/2"]),
        ((*ANALYZED, CHOSEN, ANSWER, judged("accept")), ["coordinator"]),
        ((*ANALYZED, CHOSEN, failed(ActorKind.EXECUTOR)), ["executor/2"]),
        ((*ANALYZED, failed(ActorKind.MONITOR)), ["coordinator"]),
        ((begun(), failed(ActorKind.ANALYZER), RECALLED), ["coordinator"]),
        ((*ANALYZED, CancelRequested(run_id=RUN_ID)), ["coordinator"]),
    ],
)
def test_what_comes_next_follows_from_the_journal(
    events: Sequence[Event], steps: list[str]
) -> None:
    assert [one.step for one in next_steps(journal(*events))] == steps


def around(**fields: object) -> Surroundings:
    """Everybody is there, but for what ``fields`` say."""
    return Surroundings(**{"num_present": EVERYBODY, **fields})  # type: ignore[arg-type]


WITHOUT = {kind: {**EVERYBODY, kind: 0} for kind in ActorKind}
BUSY_HOST = host("gpu-2", report(), report("other", num_running=1, generation_s=20.0))
NOTE = WaitNote(model=MODEL, cause=WaitCause.LOADING, message="loading it, 41 %")


@pytest.mark.parametrize(
    ("events", "surroundings", "sentence"),
    [
        ((), around(), "accepted; a coordinator is about to take it up"),
        (
            (),
            around(queue=QueueState(num_pending=37)),
            "accepted; 37 prompts wait in its queue for a coordinator",
        ),
        (
            (),
            around(num_present=WITHOUT[ActorKind.COORDINATOR]),
            "accepted; no coordinator is present to lead it",
        ),
        (
            (PromptSubmitted(run_id=RUN_ID, request_sha256="0"),),
            around(is_queued=False),
            "submitted 41 s ago; its prompt is not in the queue; send the request again",
        ),
        (
            ANALYZED[:2],
            around(num_present=WITHOUT[ActorKind.HISTORY]),
            "analyzed 41 s ago; no history is present",
        ),
        (
            (NAMED, RECALLED, analyzed()),
            around(model=facts(BUSY_HOST, placements=(holding("gpu-2", "other"),))),
            f"analyzed 41 s ago; no executor holds {MODEL}; gpu-2 could, "
            "busy until about 20 s from now",
        ),
        (
            (*ANALYZED, CHOSEN),
            around(model=facts(), num_present=WITHOUT[ActorKind.EXECUTOR]),
            f"given to {MODEL} 41 s ago; no executor is present",
        ),
        (
            (*ANALYZED, CHOSEN),
            around(note=NOTE),
            f"given to {MODEL} 41 s ago; loading it, 41 %",
        ),
        (
            (*ANALYZED, CHOSEN, ANSWER),
            around(queue=QueueState(num_pending=9)),
            "answered 41 s ago; 9 tasks wait for the validator",
        ),
        (
            (*ANALYZED, CHOSEN, ANSWER),
            around(),
            "answered 41 s ago; a validator works on it",
        ),
        (
            (*ANALYZED, CHOSEN, ANSWER, judged("accept")),
            around(is_queued=False),
            "accepted by the validator 41 s ago; no prompt lies in the queue under its id; "
            "nobody may be leading it",
        ),
    ],
)
def test_the_sentence_says_what_happened_when_and_what_is_missing(
    events: Sequence[Event], surroundings: Surroundings, sentence: str
) -> None:
    assert describe_standing(journal(*events), 41.2, surroundings) == sentence


events = st.sampled_from(
    [
        PromptSubmitted(run_id=RUN_ID, request_sha256="0"),
        begun(),
        NAMED,
        analyzed(),
        RECALLED,
        CHOSEN,
        ANSWER,
        judged("retry"),
        judged("accept"),
        failed(ActorKind.EXECUTOR),
        failed(ActorKind.MONITOR),
        CancelRequested(run_id=RUN_ID),
    ]
)
present = st.dictionaries(st.sampled_from(list(ActorKind)), st.integers(0, 3))


@given(st.lists(events, max_size=8), present, st.booleans(), st.integers(0, 9), st.booleans())
def test_any_journal_in_any_surroundings_gives_one_sentence(
    told: list[Event], num_present: dict[ActorKind, int], queued: bool, pending: int, known: bool
) -> None:
    sentence = describe_standing(
        journal(*told),
        1.0,
        Surroundings(
            num_present=num_present,
            is_queued=queued,
            queue=QueueState(num_pending=pending),
            model=ModelFacts(model=MODEL) if known else None,
        ),
    )
    what, _, reason = sentence.partition("; ")
    assert what
    assert reason
    assert "\n" not in sentence
