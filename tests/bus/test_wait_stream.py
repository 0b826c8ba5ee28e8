"""Notes on why runs wait: heard live, the last one kept, and only while it is true."""

from contextlib import aclosing

import anyio

from bus.prompt_client import RunItem
from bus.token_stream import TokenWriter
from bus.wait_stream import WaitStreams, WaitWriter
from contracts.run_id import new_run_id
from contracts.waiting import WaitCause, WaitNote, WaitReport
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.test_prompt_client import Story, clients, collect, steps
from tests.bus.tools import until


def note(message: str, **fields: object) -> WaitNote:
    """Why a generation waits."""
    return WaitNote.model_validate(
        {"model": "m", "cause": WaitCause.QUEUED, "message": message, **fields}
    )


async def tell(process: Process, run_id: str, *messages: str, attempt: int = 1) -> None:
    """Publish notes, and return when the server has them."""
    writer = WaitWriter(process.connection, run_id, attempt)
    for message in messages:
        await writer.write(note(message))
    await process.connection.client.flush()


def told(items: list[RunItem]) -> list[str]:
    """The notes among ``items``."""
    return [item.message for item in items if isinstance(item, WaitReport)]


async def heard(items: list[RunItem], message: str) -> None:
    """Return as soon as that note is the last one told."""
    await until(lambda: told(items)[-1:] == [message])


async def until_current(streams: WaitStreams, run_id: str, message: str | None) -> None:
    """Return once that is the run's current note: the server stores after it has taken."""
    with anyio.fail_after(20):
        while True:
            current = await streams.current(run_id)
            if (current.message if current is not None else None) == message:
                return
            await anyio.sleep(0.01)


async def test_notes_are_heard_in_order_by_who_listens_to_their_run(settings: Settings) -> None:
    async with (
        open_process(settings, "test") as process,
        WaitStreams(process.connection) as streams,
    ):
        run_id = new_run_id()
        reports: list[WaitReport] = []
        forget = streams.listen(run_id, reports.append)
        await tell(process, new_run_id(), "of another run")
        await tell(process, run_id, "three ahead", "two ahead", attempt=2)
        await until(lambda: len(reports) == 2)
        assert [report.message for report in reports] == ["three ahead", "two ahead"]
        assert {(report.run_id, report.attempt) for report in reports} == {(run_id, 2)}
        forget()
        assert streams.num_listeners == 0


async def test_the_server_keeps_only_the_last_note_of_a_run(settings: Settings) -> None:
    async with (
        open_process(settings, "test") as process,
        WaitStreams(process.connection) as streams,
    ):
        run_id = new_run_id()
        await tell(process, run_id, *(f"{number} ahead" for number in range(50)))
        await until_current(streams, run_id, "49 ahead")
        assert (await process.connection.jetstream.stream_info("TOKENS")).state.messages == 1


async def test_a_note_is_over_as_soon_as_its_attempt_speaks(settings: Settings) -> None:
    async with (
        open_process(settings, "test") as process,
        WaitStreams(process.connection) as streams,
    ):
        run_id = new_run_id()
        assert await streams.current(run_id) is None
        await TokenWriter(process.connection, run_id, 1).write("text of the first attempt")
        await tell(process, run_id, "the second attempt waits", attempt=2)
        await until_current(streams, run_id, "the second attempt waits")
        await TokenWriter(process.connection, run_id, 2).write("text of the second")
        await until_current(streams, run_id, None)


async def test_foreign_notes_are_passed_over(settings: Settings) -> None:
    async with (
        open_process(settings, "test") as process,
        WaitStreams(process.connection) as streams,
    ):
        run_id = new_run_id()
        reports: list[WaitReport] = []
        streams.listen(run_id, reports.append)
        foreign = WaitReport(run_id=new_run_id(), **dict(note("of another run")))
        for payload in (b"junk", b"{}", foreign.encode()):
            await process.connection.jetstream.publish(f"waits.{run_id}", payload)
        await process.connection.jetstream.publish("waits.x", b"junk")
        assert await streams.current(run_id) is None
        await tell(process, run_id, "ours")
        await until(lambda: len(reports) == 1)
        assert not list(process.connection.errors)


async def test_a_bus_that_is_gone_loses_notes_and_nothing_else(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.close()
        await WaitWriter(process.connection, new_run_id(), 1).write(note("nobody hears"))


async def test_a_follower_sees_notes_before_the_text_they_lead_to(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        items: list[RunItem] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, client, story.run_id, items)
            await story.begin()
            await until(lambda: steps(items) == ["started"])
            for message in ("queued", "loading"):
                await tell(process, story.run_id, message)
                await heard(items, message)
            await story.speak("Once")
            await tell(process, story.run_id, "overtaken by the text")
            await story.end()
            await tell(process, story.run_id, "after the end")
        assert told(items) == ["queued", "loading"]
        assert steps(items) == ["started", "executor/1", "outcome"]


async def test_a_slow_follower_is_told_no_note_that_is_over(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        items: list[RunItem] = []
        await story.begin()
        async with aclosing(client.follow(story.run_id)) as following:
            items.append(await anext(following))
            await tell(process, story.run_id, "three ahead", "two ahead", "one ahead")
            await until_stored(process, 1)
            items.append(await anext(following))
            await tell(process, story.run_id, "next")
            await story.speak("Once")
            await story.end()
            async for item in following:
                items.append(item)
        assert told(items) == ["one ahead"]


async def until_stored(process: Process, number: int) -> None:
    """Return when that many notes and texts are stored, and heard by this process too."""
    with anyio.fail_after(20):
        while (await process.connection.jetstream.stream_info("TOKENS")).state.messages < number:
            await anyio.sleep(0.01)


async def test_who_joins_late_is_told_the_last_note_if_it_is_still_true(
    settings: Settings,
) -> None:
    async with clients(settings) as (process, client):
        waiting, speaking = Story(process, new_run_id()), Story(process, new_run_id())
        for story in (waiting, speaking):
            await story.begin()
            await tell(process, story.run_id, "queued", "loading")
        await speaking.speak("Once")
        async with aclosing(client.follow(waiting.run_id)) as items:
            found = [await anext(items), await anext(items)]
        assert told(found) == ["loading"]
        async with aclosing(client.follow(speaking.run_id)) as items:
            found = [await anext(items), await anext(items)]
        assert told(found) == []


async def test_a_view_tells_what_a_run_waits_for_until_it_is_over(settings: Settings) -> None:
    async with clients(settings) as (process, client):
        story = Story(process, new_run_id())
        await story.begin()
        assert (await client.view(story.run_id)).waiting is None
        await tell(process, story.run_id, "loading")
        await until_stored(process, 1)
        found = (await client.view(story.run_id)).waiting
        assert found is not None
        assert found.message == "loading"
        await story.end()
        assert (await client.view(story.run_id)).waiting is None


async def test_followers_hear_notes_after_a_restart_of_the_server(
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
            await tell(process, story.run_id, "still there")
            await until(lambda: told(items) == ["still there"])
            await story.end()
