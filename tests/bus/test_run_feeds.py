"""Followers of one run share what this process knows of it, and each is told everything once."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import anyio

from bus.prompt_client import PromptClient
from bus.run_cursor import RunCursor
from bus.run_feed import RunItem
from bus.run_feeds import RunFollower
from bus.token_stream import Token, TokenWriter
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.event import AnswerGenerated, StepFailed
from contracts.journal_entry import JournalEntry
from contracts.run_id import new_run_id
from promptbus.process import Process
from promptbus.settings import Settings
from tests.bus.test_prompt_client import WORDS, Story, clients, steps
from tests.bus.tools import until
from tests.contracts.journals import ERROR, result

STORY = "".join(WORDS)


class Page:
    """What a client has of a run, put together from items and cursors."""

    def __init__(self) -> None:
        self.text: dict[int, str] = {}
        self.events: list[JournalEntry] = []
        self.cursors: list[str] = []

    async def read(
        self, client: PromptClient, run_id: str, after: str = "0", max_items: int | None = None
    ) -> None:
        """Follow from ``after`` on, to the end or for so many items."""
        num_items = 0
        with client.feeds.open(run_id) as feed:
            follower = RunFollower(feed, RunCursor.parse(after))
            async with aclosing(follower.items()) as items:
                async for item in items:
                    self.take(item)
                    self.cursors.append(str(follower.cursor))
                    num_items += 1
                    if num_items == max_items:
                        return

    def take(self, item: RunItem) -> None:
        """Add ``item`` as the words of :class:`RunFollower` say."""
        if isinstance(item, Token):
            before = self.text.get(item.attempt, "")
            assert item.delta.offset <= len(before)
            self.text[item.attempt] = before[: item.delta.offset] + item.delta.text
        elif isinstance(item, JournalEntry):
            self.events.append(item)


@asynccontextmanager
async def story_of(settings: Settings) -> AsyncIterator[tuple[Process, PromptClient, Story]]:
    """A client, and a run whose story nobody has told yet."""
    async with clients(settings) as (process, client):
        yield process, client, Story(process, new_run_id())


async def test_whoever_comes_back_with_any_cursor_gets_the_rest_once(settings: Settings) -> None:
    async with story_of(settings) as (_, client, story):
        whole = Page()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(whole.read, client, story.run_id)
            await story.tell(0.01)
        assert whole.text == {1: STORY}
        assert len(set(whole.cursors)) == len(whole.cursors) > len(WORDS)
        for num_read in range(1, len(whole.cursors) + 1):
            page = Page()
            await page.read(client, story.run_id, max_items=num_read)
            await page.read(client, story.run_id, page.cursors[-1])
            assert page.text == whole.text
            assert page.events == whole.events
        again = Page()
        await again.read(client, story.run_id, whole.cursors[-1])
        assert (again.text, again.events) == ({}, [])


async def test_a_text_that_goes_on_is_told_from_the_character_that_was_read(
    settings: Settings,
) -> None:
    async with story_of(settings) as (_, client, story):
        page = Page()
        await story.begin()
        await story.speak(*WORDS[:2])
        await page.read(client, story.run_id, max_items=2)
        assert page.text == {1: "Once upon"}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(page.read, client, story.run_id, page.cursors[-1])
            await story.end()
        assert page.text == {1: STORY}
        assert [entry.subject.step for entry in page.events] == ["started", "executor/1", "outcome"]


async def test_a_thousand_followers_cost_one_reading(settings: Settings) -> None:
    async with story_of(settings) as (process, client, story):
        pages = [Page() for _ in range(1000)]
        await story.begin()
        sent_before = process.connection.client.stats["out_msgs"]
        async with anyio.create_task_group() as tasks:
            for page in pages:
                tasks.start_soon(page.read, client, story.run_id)
            await until(lambda: all(page.events for page in pages))
            num_sent = process.connection.client.stats["out_msgs"] - sent_before
            await story.speak(*WORDS)
            await story.end()
        assert num_sent <= 10
        assert all(page.text == {1: STORY} and len(page.events) == 3 for page in pages)
        with client.feeds.open(story.run_id) as feed:
            assert not feed.journal  # nobody followed it any more, so nothing was kept


async def test_a_text_that_another_executor_begins_anew_replaces_what_was_told(
    settings: Settings,
) -> None:
    async with story_of(settings) as (_, client, story):
        page = Page()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(page.read, client, story.run_id)
            await story.begin()
            await story.speak("Once", " there", " lived")
            await until(lambda: page.text == {1: "Once there lived"})
            await story.speak(*WORDS[:2])
            await until(lambda: page.text == {1: "Once upon"})
            await story.end()
        assert page.text == {1: STORY}


async def test_pieces_that_were_lost_are_made_good_by_the_answer(settings: Settings) -> None:
    async with story_of(settings) as (process, client, story):
        page = Page()
        lost = TokenWriter(process.connection, new_run_id(), 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(page.read, client, story.run_id)
            await story.begin()
            await story.speak("Once")
            await until(lambda: page.text == {1: "Once"})
            delta = b'{"offset": 11, "text": " time"}'
            await process.connection.client.publish(subjects.tokens(story.run_id, 1), delta)
            await lost.write("of another run")
            await story.end()
        assert page.text == {1: STORY}


async def test_a_failed_attempt_keeps_its_text_and_the_next_has_its_own(
    settings: Settings,
) -> None:
    async with story_of(settings) as (process, client, story):
        page = Page()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(page.read, client, story.run_id)
            await story.begin()
            await story.speak("No")
            await process.connection.client.flush()
            run_id, node = story.run_id, ActorKind.EXECUTOR
            failed = StepFailed(run_id=run_id, actor=node, error=ERROR)
            await process.journal.write(subjects.step_event(run_id, node, 1), failed)
            writer = TokenWriter(process.connection, run_id, 2)
            for word in WORDS:
                await writer.write(word)
            answered = AnswerGenerated(run_id=run_id, attempt=2, result=result(STORY))
            await process.journal.write(subjects.step_event(run_id, node, 2), answered)
            await until(lambda: len(page.events) == 3)
            tasks.cancel_scope.cancel()
        assert page.text == {1: "No", 2: STORY}


async def test_a_generation_without_a_run_ends_with_its_answer(settings: Settings) -> None:
    async with story_of(settings) as (process, client, story):
        answered = AnswerGenerated(run_id=story.run_id, result=result(STORY))
        subject = subjects.step_event(story.run_id, ActorKind.EXECUTOR, 1)
        await process.journal.write(subject, answered)
        items: list[RunItem] = []
        async with aclosing(client.follow(story.run_id)) as following:
            async for item in following:
                items.append(item)
        assert steps(items) == ["executor/1"]
