"""Streams that fill up: told in time, and new prompts refused before a run has no room to end."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import DiscardPolicy

from bus.prompt_client import PromptClient
from bus.room import Room
from bus.topology import PROMPTS, RUNS, declare
from contracts.errors import QueueFull
from contracts.prompt import SubmitPrompt
from contracts.stream_usage import CLOSED_FRACTION, StreamUsage, alarms, first_closed
from promptbus.process import Process, open_process
from promptbus.settings import Settings

PROMPT = SubmitPrompt(prompt="hi")
FORGETFUL = {"TOKENS", "SPANS"}
LIMIT = 1 << 20

usages = st.builds(
    StreamUsage,
    st.sampled_from([RUNS, PROMPTS, "SPANS"]),
    st.integers(0, 200),
    st.sampled_from([-1, 100]),
    st.booleans(),
)


def test_every_stream_has_a_limit_and_forgets_nothing_but_pictures() -> None:
    topology = declare()
    for config in [
        *(stream.config(1) for stream in topology.streams),
        *(bucket.config(1) for bucket in topology.buckets),
    ]:
        assert (config.max_bytes or 0) > 0, config.name
        forgets = config.discard == DiscardPolicy.OLD
        assert forgets == (config.name in FORGETFUL), config.name


@given(st.lists(usages))
def test_who_is_closed_was_warned_of_before(found: list[StreamUsage]) -> None:
    warned = alarms(found)
    closed = first_closed(found, [RUNS, PROMPTS])
    assert all(one.keeps_all and one.max_bytes > 0 for one in warned)
    assert closed is None or closed in warned
    assert closed is None or closed.fraction >= CLOSED_FRACTION
    full = {one for one in warned if one.name != "SPANS" and one.fraction >= CLOSED_FRACTION}
    assert (closed is None) == (not full)


async def fill(process: Process, stream: str, fraction: float) -> None:
    """Fill ``stream`` of a small limit with what is none of ours."""
    jetstream = process.connection.jetstream
    config = (await jetstream.stream_info(stream)).config
    config.max_bytes = LIMIT
    await jetstream.update_stream(config)
    subject = "runs.ballast" if stream == RUNS else "prompts.batch"
    while (await jetstream.stream_info(stream)).state.bytes < fraction * LIMIT:
        await jetstream.publish(subject, b"x" * 10_000)


@pytest.mark.parametrize("stream", [RUNS, PROMPTS])
async def test_prompts_are_refused_before_the_stream_is_full_and_taken_again_after(
    settings: Settings, stream: str
) -> None:
    async with (
        open_process(settings, "test") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        client.room = Room(process.connection, look_every_s=0)
        await fill(process, stream, 0.96)
        num_queued = (await process.connection.jetstream.stream_info(PROMPTS)).state.messages
        with pytest.raises(QueueFull, match=f"{stream} is 96 % full") as caught:
            await client.submit(PROMPT)
        assert (caught.value.status, caught.value.retryable) == (503, True)
        for key in ("a", "b"):
            with pytest.raises(QueueFull):
                await client.submit(PROMPT, idempotency_key=key)
        info = await process.connection.jetstream.stream_info(PROMPTS)
        assert info.state.messages == num_queued
        await process.connection.jetstream.purge_stream(stream)
        await client.submit(PROMPT)


async def test_a_stream_that_fills_up_is_told_in_the_log_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_process(settings, "test") as process:
        room = Room(process.connection)
        await fill(process, RUNS, 0.75)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                room.tell(alarms(await room.read()))
        (told,) = [record for record in caplog.records if "RUNS is 75 % full" in record.message]
        assert told.levelno == logging.WARNING
