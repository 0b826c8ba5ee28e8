"""Publishing: stored once, or an error that says why not."""

import json
import time
from pathlib import Path

import anyio
import pytest
from nats.js.api import DiscardPolicy, StreamConfig

from bus.connection import BusAddress, Connection
from bus.payload_store import MAX_OBJECT_BYTES
from bus.publisher import EXPECT_SUBJECT_EMPTY, MAX_MESSAGE_BYTES, Publisher, WrongLastSequence
from bus.topology import declare, ensure
from contracts import subjects
from contracts.errors import BusDenied, BusUnavailable, MessageTooLarge, QueueFull
from contracts.event import CancelRequested
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.child_process import spawn, stop
from promptbus.nats_server import NatsServer, find_binary
from promptbus.process import Process, open_process
from promptbus.settings import Settings

NORMAL = subjects.prompts(Priority.NORMAL)


def prompt(text: str = "hello") -> SubmitPrompt:
    """A prompt to publish."""
    return SubmitPrompt(run_id=new_run_id(), prompt=text)


async def stored(process: Process, stream: str = "PROMPTS") -> int:
    """Messages in that stream."""
    return (await process.connection.jetstream.stream_info(stream)).state.messages


async def test_a_published_message_is_stored_with_its_headers(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        published = await process.publisher.publish(NORMAL, prompt(), message_id="id-1")
        assert (published.sequence, published.duplicate) == (1, False)
        message = await process.connection.jetstream.get_msg("PROMPTS", seq=1)
        assert message.headers is not None
        assert message.headers["ce-source"] == process.source
        assert message.headers["Nats-Msg-Id"] == "id-1"


async def test_the_same_message_id_is_stored_once(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        first = await process.publisher.publish(NORMAL, prompt(), message_id="id-1")
        again = await process.publisher.publish(NORMAL, prompt(), message_id="id-1")
        assert (again.sequence, again.duplicate) == (first.sequence, True)
        assert await stored(process) == 1


async def test_a_message_that_is_too_large_for_the_store_never_reaches_the_client(
    settings: Settings,
) -> None:
    large = prompt().model_copy(update={"prompt": "x" * MAX_OBJECT_BYTES})
    async with open_process(settings, "test") as process:
        with pytest.raises(MessageTooLarge) as caught:
            await process.publisher.publish(NORMAL, large)
        assert caught.value.limit == MAX_OBJECT_BYTES
        with pytest.raises(MessageTooLarge):
            await process.publisher.send(NORMAL, large)
        assert process.connection.is_connected
        assert await stored(process) == 0


async def test_the_largest_message_that_is_allowed_is_stored(settings: Settings) -> None:
    large = prompt().model_copy(update={"prompt": "x" * (MAX_MESSAGE_BYTES - 1024)})
    async with open_process(settings, "test") as process:
        await process.publisher.publish(NORMAL, large)
        assert await stored(process) == 1


async def test_who_expects_an_empty_subject_is_told_that_it_is_taken(settings: Settings) -> None:
    event = CancelRequested(run_id=new_run_id())
    subject = subjects.run_event(event.run_id, subjects.CANCEL)
    async with open_process(settings, "test") as process:
        publish = process.publisher.publish
        await publish(subject, event, headers=EXPECT_SUBJECT_EMPTY)
        with pytest.raises(WrongLastSequence):
            await publish(subject, event, headers=EXPECT_SUBJECT_EMPTY)


async def test_a_publish_outlasts_a_restart_of_the_server(
    settings: Settings, nats_server: NatsServer
) -> None:
    async with open_process(settings, "test") as process:
        await process.publisher.publish(NORMAL, prompt(), message_id="before")
        nats_server.kill()
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(_publish, process, f"during-{number}")
            await anyio.sleep(0.3)
            await anyio.to_thread.run_sync(nats_server.start)
        assert await stored(process) == 6


async def _publish(process: Process, message_id: str) -> None:
    await process.publisher.publish(NORMAL, prompt(), message_id=message_id)


async def test_a_publish_gives_up_after_its_deadline(
    settings: Settings, nats_server: NatsServer
) -> None:
    async with open_process(settings, "test") as process:
        nats_server.kill()
        begun = time.monotonic()
        with pytest.raises(BusUnavailable) as caught:
            await process.publisher.publish(NORMAL, prompt(), deadline_s=0.5)
        assert caught.value.retryable
        assert time.monotonic() - begun < 10


async def test_a_closed_connection_is_told_at_once(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.close()
        begun = time.monotonic()
        with pytest.raises(BusUnavailable):
            await process.publisher.publish(NORMAL, prompt())
        assert time.monotonic() - begun < 10


async def test_a_full_queue_is_told(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        full = StreamConfig(name="FULL", subjects=["full.*"], max_msgs=1, discard=DiscardPolicy.NEW)
        await process.connection.jetstream.add_stream(full)
        await process.publisher.publish("full.a", prompt())
        with pytest.raises(QueueFull) as caught:
            await process.publisher.publish("full.a", prompt())
        assert caught.value.retryable


async def test_a_subject_that_no_stream_takes_is_told(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        with pytest.raises(BusUnavailable, match="no response"):
            await process.publisher.publish("nobody.listens", prompt(), deadline_s=0.4)


async def test_what_this_user_may_not_publish_is_told_as_denied(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "probe", synced=False) as probe:
        port = int(probe.address.urls[0].rsplit(":", 1)[1])
    config = {
        "listen": f"127.0.0.1:{port}",
        "jetstream": {"store_dir": str(tmp_path / "js")},
        "authorization": {
            "users": [
                {"user": "admin", "password": "a"},
                {
                    "user": "weak",
                    "password": "w",
                    "permissions": {
                        "publish": {"deny": [NORMAL]},
                        "subscribe": {"deny": ["tasks.secret"]},
                    },
                },
            ]
        },
    }
    path = tmp_path / "nats.conf"
    path.write_text(json.dumps(config))
    process = spawn([find_binary(), "--config", path], log=None)
    try:
        urls = (f"nats://127.0.0.1:{port}",)
        async with (
            Connection(BusAddress(urls, "admin", "a"), "admin") as admin,
            Connection(BusAddress(urls, "weak", "w"), "weak") as weak,
        ):
            await ensure(admin.jetstream, declare())
            publisher = Publisher(weak, "weak")
            await publisher.publish(subjects.prompts(Priority.BATCH), prompt())
            with pytest.raises(BusDenied) as caught:
                await publisher.publish(NORMAL, prompt(), deadline_s=20)
            assert caught.value.subject == NORMAL
            assert caught.value.cure
            await Publisher(admin, "admin").publish(NORMAL, prompt())
    finally:
        stop(process)
