"""Reading many messages at once: all of them, in order, whatever their headers say."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.direct_get import BATCH, DirectGet, parse_time
from contracts.errors import BusUnavailable
from promptbus.process import Process, open_process
from promptbus.settings import Settings

MANY = 2 * BATCH + 7


async def fill(process: Process, subject: str, number: int, size: int = 1) -> None:
    """Store that many messages."""
    for index in range(number - 1):
        await process.connection.client.publish(subject, b"%d" % index + b"x" * size)
    # The server stores in the order of arrival, so with the last all are stored.
    await process.connection.jetstream.publish(subject, b"last" + b"x" * size, timeout=20)


async def test_more_messages_than_one_answer_holds_are_read_in_order(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await fill(process, "dead.a", MANY)
        await fill(process, "dead.b", 3)
        found = await DirectGet(process.connection, "DEAD").read_all("dead.a")
        assert [message.sequence for message in found] == list(range(1, MANY + 1))
        assert {message.subject for message in found} == {"dead.a"}
        assert len(await DirectGet(process.connection, "DEAD").read_all("dead.*")) == MANY + 3


async def test_more_bytes_than_one_answer_holds_are_read(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await fill(process, "dead.a", 24, size=500_000)
        found = await DirectGet(process.connection, "DEAD").read_all("dead.a")
        assert len(found) == 24


async def test_reading_begins_where_asked_and_ends_at_the_limit(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await fill(process, "dead.a", 10)
        direct = DirectGet(process.connection, "DEAD")
        assert [m.sequence for m in await direct.read("dead.a", from_sequence=4, limit=3)] == [
            *(4, 5, 6)
        ]
        assert await direct.read("dead.a", from_sequence=11) == []
        assert await direct.read("dead.nobody") == []


@pytest.mark.parametrize("status", ["204", "404", "408", "503", "nonsense"])
async def test_a_message_with_a_status_of_its_own_hides_nothing(
    settings: Settings, status: str
) -> None:
    async with open_process(settings, "test") as process:
        publish = process.connection.jetstream.publish
        await publish("dead.a", b"1")
        await publish("dead.a", b"2", headers={"Status": status})
        await publish("dead.a", b"3")
        found = await DirectGet(process.connection, "DEAD").read_all("dead.a")
        assert [message.data for message in found] == [b"1", b"2", b"3"]


async def test_headers_that_pretend_to_be_the_servers_change_nothing(settings: Settings) -> None:
    forged = {
        "Nats-Sequence": "nonsense",
        "Nats-Subject": "dead.b",
        "Nats-Stream": "RUNS",
        "Nats-Time-Stamp": "yesterday",
        "Nats-Num-Pending": "-1",
    }
    async with open_process(settings, "test") as process:
        publish = process.connection.jetstream.publish
        await publish("dead.a", b"1", headers=forged)
        await publish("dead.a", b"2")
        found = await DirectGet(process.connection, "DEAD").read_all("dead.a")
        assert [(m.subject, m.sequence) for m in found] == [("dead.a", 1), ("dead.a", 2)]
        assert abs(found[0].stored_at.timestamp() - time.time()) < 60


async def test_a_stream_that_does_not_answer_is_told(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        with pytest.raises(BusUnavailable, match="NOWHERE"):
            await DirectGet(process.connection, "NOWHERE").read("a")


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 9))
def test_the_servers_times_are_read_to_the_microsecond(at: datetime, digits: int) -> None:
    fraction = f"{at.microsecond:06}000"[:digits]
    whole = at.strftime("%Y").rjust(4, "0") + at.strftime("-%m-%dT%H:%M:%S")
    text = f"{whole}.{fraction}Z" if digits else f"{whole}Z"
    kept = int(f"{fraction or '0':0<6}"[:6])
    assert parse_time(text) == at.replace(microsecond=kept)
