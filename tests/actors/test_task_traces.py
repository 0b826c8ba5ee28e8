"""What an actor tells of its tries: those that fail, those that were lost, and its dead letters."""

import anyio
import pytest

from actors.actor import Step
from bus.pull_worker import Retry
from bus.span_stream import FLUSH_EVERY_S, TOLD_AFTER_S
from contracts import semconv, subjects
from contracts.actor_kind import ActorKind
from contracts.errors import ProviderFailed
from contracts.event import PromptAnalyzed, RunCancelled, RunStarted
from contracts.prompt import SubmitPrompt, TaskType
from contracts.semconv import Role
from contracts.span import Span, span_id_of
from contracts.task import AnalyzePrompt
from contracts.trace_check import check_trace
from contracts.work_span import work_span
from promptbus.settings import Settings
from tests.actors.test_task_server import MAX_ATTEMPTS, Stand, failing, stand

FAULT = ProviderFailed(provider="local", reason="busy")
MOMENT_S = TOLD_AFTER_S + 2 * FLUSH_EVERY_S


async def spans_of(found: Stand, num: int = 1) -> list[Span]:
    """The run's spans once there are so many."""
    with anyio.fail_after(5):
        while len(spans := await found.bus.process.spans.read(found.run_id)) < num:
            await anyio.sleep(0.02)
    return spans


async def test_every_try_that_failed_is_told_and_so_is_the_dead_letter(settings: Settings) -> None:
    async with stand(settings, failing(FAULT)) as found:
        for number in range(1, MAX_ATTEMPTS):
            with pytest.raises(Retry):
                await found.server.handle(found.delivery(number))
        await found.server.handle(found.delivery(MAX_ATTEMPTS))
        spans = await spans_of(found, MAX_ATTEMPTS)
        tries = [span for span in spans if span.role == Role.WORK]
        assert [span.attributes[semconv.NUM_DELIVERED] for span in tries] == list(
            range(1, MAX_ATTEMPTS)
        )
        assert {span.error for span in tries} == {FAULT.code}
        assert not any(span.is_open for span in tries)
        (letter,) = [span for span in spans if span.role == Role.DEAD]
        assert (letter.name, letter.error) == ("send dead.analyzer", FAULT.code)
        assert letter.parent_id == span_id_of(found.run_id, "analyzer/1")


async def test_whoever_is_given_a_lost_task_ends_the_try_of_the_dead(settings: Settings) -> None:
    async with stand(settings) as found:
        dead = work_span(found.run_id, "analyzer/1", 1, begin_ns=1_000_000, host="the dead one")
        await found.bus.process.spans.send([dead])
        await spans_of(found)
        await found.server.handle(found.delivery(2))
        with anyio.fail_after(5):
            while (await spans_of(found))[0].is_open:
                await anyio.sleep(0.02)
        (span,) = await spans_of(found)
        assert (span.error, span.host) == ("lost", "the dead one")
        event = await found.event()
        assert isinstance(event, PromptAnalyzed)
        assert event.num_delivered == 2


async def test_a_long_try_whose_result_came_too_late_ends(settings: Settings) -> None:
    async def slow(task: AnalyzePrompt, _step: Step) -> str:
        await anyio.sleep(MOMENT_S)
        first = PromptAnalyzed(run_id=task.run_id, task_type=TaskType.CODE, language="es")
        subject = subjects.step_event(task.run_id, ActorKind.ANALYZER, 1)
        await found.bus.process.journal.write(subject, first)
        return "en"

    async with stand(settings, slow) as found, anyio.create_task_group() as tasks:
        tasks.start_soon(found.bus.process.spans.run)
        await found.server.handle(found.delivery())
        with anyio.fail_after(5):
            while (await spans_of(found))[0].is_open:
                await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()


async def test_an_event_that_comes_after_the_outcome_comes_into_the_trace(
    settings: Settings,
) -> None:
    async def slow(_task: AnalyzePrompt, step: Step) -> str:
        while not step.cancelled:
            await anyio.sleep(0.01)
        return "en"

    async with stand(settings, slow) as found, anyio.create_task_group() as tasks:
        run_id = found.run_id
        prompt = SubmitPrompt(prompt="hi", run_id=run_id)
        await found.write(subjects.STARTED, RunStarted(run_id=run_id, submitted=prompt))
        tasks.start_soon(found.server.handle, found.delivery())
        with anyio.fail_after(5):
            while not found.server.num_in_flight:
                await anyio.sleep(0.01)
        await found.write(subjects.OUTCOME, RunCancelled(run_id=run_id, step="analyzer/1"))
        with anyio.fail_after(5):
            while True:
                journal = await found.bus.process.journal.read(run_id)
                spans = await found.bus.process.spans.read(run_id)
                if len(journal) == 3 and not check_trace(run_id, journal, spans):
                    break
                await anyio.sleep(0.02)
