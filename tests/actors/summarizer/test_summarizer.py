"""The summarizer actor."""

import asyncio
import logging

import pytest

from actors.actor import Handler
from actors.summarizer import Summarizer
from actors.summarizer.writing import build_prompt, parse_written
from contracts.errors import ProviderFailed
from contracts.run_id import new_run_id
from contracts.task import StepTotals, SummarizeRun

TASK = SummarizeRun(
    run_id=new_run_id(),
    attempt=2,
    prompt="Hello! What is the capital of France?",
    output="The capital of France is Paris.",
    language="en",
    total_tokens=21,
    steps=(
        StepTotals(step="analyzer/1", duration_ms=0.1),
        StepTotals(step="executor/1", duration_ms=41.2351),
    ),
)
EXTRACTED = ("What is the capital of France", "The capital of France is Paris.")


def test_it_takes_finished_runs() -> None:
    assert Summarizer.handlers == {SummarizeRun: Handler("summarize", takes_step=False)}


async def test_a_run_gets_title_summary_and_totals() -> None:
    event = await Summarizer().summarize(TASK)
    assert (event.title, event.summary) == EXTRACTED
    assert (event.total_tokens, event.total_time_ms) == (21, 41.335)
    assert (event.run_id, event.attempt) == (TASK.run_id, 2)


async def test_a_run_without_steps_or_answer_is_summarized_too() -> None:
    event = await Summarizer().summarize(SummarizeRun(run_id=new_run_id(), prompt="?"))
    assert (event.title, event.summary, event.total_time_ms) == ("Untitled", "No answer.", 0)


async def test_a_long_answer_does_not_hold_up_the_loop() -> None:
    task = TASK.model_copy(update={"output": "The cat sat on the mat. " * 10_000})
    working = asyncio.create_task(Summarizer().summarize(task))
    num_turns = 0
    while not working.done():
        await asyncio.sleep(0.001)
        num_turns += 1
    assert num_turns > 2
    assert (await working).summary == "The cat sat on the mat."


async def test_a_model_writes_where_one_is_given() -> None:
    prompts: list[str] = []

    async def write(prompt: str) -> str:
        prompts.append(prompt)
        return 'Sure!\n**Title:** "France\'s capital".\nSummary:  Paris\tis named. \nTitle: other'

    event = await Summarizer(write).summarize(TASK)
    assert (event.title, event.summary) == ("France's capital", "Paris is named.")
    assert TASK.output in prompts[0]


async def test_what_the_model_leaves_out_is_extracted() -> None:
    async def write(_prompt: str) -> str:
        return "Título: La capital de Francia"

    event = await Summarizer(write).summarize(TASK)
    assert (event.title, event.summary) == ("La capital de Francia", EXTRACTED[1])


async def test_a_model_that_fails_is_replaced_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def write(_prompt: str) -> str:
        raise ProviderFailed(provider="local", reason="out of memory")

    with caplog.at_level(logging.WARNING):
        event = await Summarizer(write).summarize(TASK)
    assert (event.title, event.summary) == EXTRACTED
    assert "provider_failed" in caplog.text
    assert "France" not in caplog.text


async def test_a_model_that_hangs_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    async def write(_prompt: str) -> str:
        await asyncio.Event().wait()
        return ""

    with caplog.at_level(logging.WARNING):
        event = await Summarizer(write, timeout_s=0.01).summarize(TASK)
    assert (event.title, event.summary) == EXTRACTED
    assert "no answer in 0.01 s" in caplog.text


async def test_a_fault_nobody_foresaw_is_not_hidden() -> None:
    async def write(_prompt: str) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Summarizer(write).summarize(TASK)


def test_the_prompt_for_the_model_stays_short() -> None:
    task = TASK.model_copy(update={"prompt": "p" * 200_000, "output": "o" * 200_000})
    assert len(build_prompt(task)) < 5000


@pytest.mark.parametrize(
    "answer", ["", "\x00\ud800", "Title:", "Title: ...", "nonsense", "\n" * 99999]
)
def test_a_useless_answer_is_none(answer: str) -> None:
    assert parse_written(answer).title is None


def test_a_verbose_model_is_cut() -> None:
    written = parse_written(f"Title: {'long ' * 50}\nSummary: {'word ' * 100}")
    assert written.title is not None
    assert written.summary is not None
    assert len(written.title) <= 60
    assert len(written.summary) <= 160


async def test_no_model_reads_what_must_stay() -> None:
    read: list[str] = []

    async def write(prompt: str) -> str:
        read.append(prompt)
        return "Title: Lost\nSummary: Lost."

    event = await Summarizer(write).summarize(TASK.model_copy(update={"local_only": True}))
    assert read == []
    assert event.title
    assert "Lost" not in event.title
