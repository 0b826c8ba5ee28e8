"""A client of the bus: it submits durably, and misses nothing of a run it follows."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial

import anyio
import pytest

from bus.prompt_client import PromptClient, RunItem, Token
from bus.token_stream import TokenWriter
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import (
    DeadlineExceeded,
    InvalidInput,
    RemoteError,
    RunFinished,
    UnknownRun,
)
from contracts.event import (
    AnswerGenerated,
    CancelRequested,
    Event,
    RunAnswered,
    RunFailed,
    RunStarted,
    RunSummarized,
    StepFailed,
)
from contracts.journal_entry import JournalEntry
from contracts.prompt import Priority, SubmitPrompt, TaskType
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.tools import until
from tests.contracts.journals import ERROR, result

WORDS = ("Once", " upon", " a", " time", ".")


@asynccontextmanager
async def clients(settings: Settings) -> AsyncIterator[tuple[Process, PromptClient]]:
    """A process and a client in it."""
    async with (
        open_process(settings, "test") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        yield process, client


class Story:
    """Writes the journal and the tokens of one run, as actors would."""

    def __init__(self, process: Process, run_id: str) -> None:
        self._process = process
        self.run_id = run_id

    async def tell(self, pause_s: float = 0.0) -> None:
        """A whole run: started, tokens, answer, outcome, summary."""
        await self.begin()
        await self.speak(*WORDS, pause_s=pause_s)
        await self.end()

    async def begin(self) -> None:
        """The first event."""
        submitted = SubmitPrompt(prompt="A story?", run_id=self.run_id)
        await self._run_event(RunStarted(run_id=self.run_id, submitted=submitted))

    async def speak(self, *words: str, pause_s: float = 0.0) -> None:
        """The text of the first attempt."""
        tokens = TokenWriter(self._process.connection, self.run_id, 1)
        for word in words:
            await tokens.write(word)
            await anyio.sleep(pause_s)
        await self._process.connection.client.flush()

    async def end(self) -> None:
        """The answer, the outcome, the summary."""
        answer = result("".join(WORDS))
        await self._step(AnswerGenerated(run_id=self.run_id, result=answer), ActorKind.EXECUTOR)
        await self._run_event(
            RunAnswered(
                run_id=self.run_id,
                output=answer.output,
                task_type=TaskType.WRITE,
                score=90,
                result=answer,
            )
        )
        await self._step(
            RunSummarized(run_id=self.run_id, title="A story", summary="Once."),
            ActorKind.SUMMARIZER,
        )

    async def _step(self, event: Event, node: ActorKind) -> None:
        await self._process.journal.write(subjects.step_event(self.run_id, node, 1), event)

    async def _run_event(self, event: RunStarted | RunAnswered) -> None:
        name = subjects.STARTED if isinstance(event, RunStarted) else subjects.OUTCOME
        await self._process.journal.write(subjects.run_event(self.run_id, name), event)


async def collect(client: PromptClient, run_id: str, into: list[RunItem], **how: bool) -> None:
    """Everything that following the run gives."""
    async with aclosing(client.follow(run_id, **how)) as items:
        async for item in items:
            into.append(item)


def steps(items: list[RunItem]) -> list[str]:
    """The events among ``items``."""
    return [item.subject.step for item in items if isinstance(item, JournalEntry)]


def text(items: list[RunItem]) -> str:
    """The text among ``items``."""
    return "".join(item.delta.text for item in items if isinstance(item, Token))


async def test_a_submitted_prompt_lies_in_its_queue_once(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        run_id = new_run_id()
        prompt = SubmitPrompt(prompt="hi", run_id=run_id)
        for _ in range(3):
            assert await client.submit(prompt, Priority.BATCH) == run_id
        other = await client.submit(SubmitPrompt(prompt="hi"))
        assert other != run_id
        info = await process.connection.jetstream.stream_info("PROMPTS")
        assert info.state.messages == 2


@pytest.mark.parametrize("pause_s", [0.0, 0.01])
async def test_who_follows_at_any_time_sees_everything_once(
    settings: Settings, pause_s: float
) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        seen: list[list[RunItem]] = [[] for _ in range(6)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, client, story.run_id, seen[0])
            tasks.start_soon(story.tell, pause_s)
            for items in seen[1:5]:
                await anyio.sleep(pause_s)
                tasks.start_soon(collect, client, story.run_id, items)
        await collect(client, story.run_id, seen[5])
        for items in seen:
            assert steps(items) == ["started", "executor/1", "outcome"]
            assert text(items) == "".join(WORDS)


async def test_a_late_reader_sees_the_text_before_the_answer_it_led_to(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        await story.tell()
        items: list[RunItem] = []
        await collect(client, story.run_id, items, summary=True)
        kinds = [item.subject.step if isinstance(item, JournalEntry) else "token" for item in items]
        assert kinds == ["started", "token", "executor/1", "outcome", "summarizer/1"]
        assert text(items) == "".join(WORDS)


async def test_text_of_an_attempt_that_began_anew_is_not_told_twice(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        items: list[RunItem] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, client, story.run_id, items)
            await story.begin()
            await story.speak(*WORDS[:3])
            await until(lambda: text(items) == "".join(WORDS[:3]))
            await story.speak(*WORDS)  # Another executor took over and begins at the beginning.
            await story.end()
        assert text(items) == "".join(WORDS)


async def test_a_follower_without_news_reads_the_journal(settings: Settings) -> None:
    """The republish is only a hint: here nobody hears it."""
    async with open_process(settings, "test", ("nothing.at.all",)) as process:
        story = Story(process, new_run_id())
        async with PromptClient(process.connection, process.publisher, process.stored) as client:
            items: list[RunItem] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(collect, client, story.run_id, items)
                await anyio.sleep(0.1)
                await story.tell()
            assert steps(items) == ["started", "executor/1", "outcome"]


async def test_following_goes_on_over_a_restart(
    settings: Settings, nats_server: NatsServer
) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        items: list[RunItem] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, client, story.run_id, items)
            await story.begin()
            await until(lambda: steps(items) == ["started"])
            nats_server.kill()
            await anyio.to_thread.run_sync(nats_server.start)
            await until(lambda: process.connection.is_connected)
            await story.end()
        assert steps(items) == ["started", "executor/1", "outcome"]


async def test_foreign_messages_in_a_run_do_not_end_its_followers(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        publish = process.connection.jetstream.publish
        await publish(f"runs.{story.run_id}.junk", b"junk")
        await publish(f"tokens.{story.run_id}.1", b"junk")
        items: list[RunItem] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, client, story.run_id, items)
            await publish(f"tokens.{story.run_id}.x", b"junk")
            await story.tell()
        assert steps(items) == ["started", "executor/1", "outcome"]


async def test_waiting_ends_with_the_outcome_or_with_its_time(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        with pytest.raises(DeadlineExceeded) as caught:
            await client.wait(story.run_id, timeout_s=0.1)
        assert story.run_id in (caught.value.cure or "")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(story.tell)
            view = await client.wait(story.run_id, timeout_s=20)
        assert (view.state, view.output) == ("answered", "".join(WORDS))


async def test_a_run_is_viewed_only_if_there_is_one(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        with pytest.raises(UnknownRun):
            await client.view(story.run_id)
        with pytest.raises(InvalidInput):
            await client.view("*")
        await story.begin()
        assert (await client.view(story.run_id)).state == "running"


async def test_a_run_is_cancelled_once_and_only_before_its_outcome(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        await client.cancel(story.run_id, reason="first")
        await client.cancel(story.run_id, reason="second")
        (entry,) = await process.journal.read(story.run_id)
        assert isinstance(entry.event, CancelRequested)
        assert entry.event.reason == "first"
        failed = RunFailed(run_id=story.run_id, error=ERROR)
        await process.journal.write(subjects.run_event(story.run_id, subjects.OUTCOME), failed)
        with pytest.raises(RunFinished, match="failed"):
            await client.cancel(story.run_id)
        with pytest.raises(InvalidInput):
            await client.cancel("*")


def direct(timeout_s: float = 20.0) -> GenerateAnswer:
    """A generation without a run."""
    return GenerateAnswer(run_id=new_run_id(), model="m/1", prompt="hi", timeout_s=timeout_s)


async def answer(process: Process, task: GenerateAnswer, event: Event) -> None:
    """Write the result as soon as the task lies in its queue."""
    with anyio.fail_after(20):
        while not (await process.connection.jetstream.stream_info("TASKS")).state.messages:
            await anyio.sleep(0.01)
    await process.journal.write(subjects.step_event(task.run_id, ActorKind.EXECUTOR, 1), event)


async def test_a_direct_generation_gives_what_the_executor_answered(settings: Settings) -> None:
    task = direct()
    async with clients(settings) as (process, client), anyio.create_task_group() as tasks:
        event = AnswerGenerated(run_id=task.run_id, result=result())
        tasks.start_soon(partial(answer, process, task, event))
        assert await client.generate(task) == result()
        # The same task again is answered from the journal.
        assert await client.generate(task) == result()


async def test_a_direct_generation_raises_what_the_executor_says(settings: Settings) -> None:
    task = direct()
    async with clients(settings) as (process, client), anyio.create_task_group() as tasks:
        failed = StepFailed(run_id=task.run_id, actor=ActorKind.EXECUTOR, error=ERROR)
        tasks.start_soon(partial(answer, process, task, failed))
        with pytest.raises(RemoteError) as caught:
            await client.generate(task)
        assert caught.value.to_wire() == ERROR


async def test_a_direct_generation_that_nobody_takes_ends_in_time(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        task = direct(timeout_s=0.3)
        with pytest.raises(RemoteError) as caught:
            await client.generate(task)
        assert caught.value.to_wire().code == "deadline_exceeded"
        assert {e.subject.node for e in await process.journal.read(task.run_id)} == {
            "executor",
            "cancel",
        }


async def test_whoever_stops_waiting_stops_the_generation(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        task = direct()
        ended: list[str] = []
        process.stored.on_end(ended.append)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.generate, task)
            await anyio.sleep(0.1)
            tasks.cancel_scope.cancel()
        await until(lambda: ended == [task.run_id])
