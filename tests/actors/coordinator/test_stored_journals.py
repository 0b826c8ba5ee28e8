"""A coordinator of this release that takes up a run of an earlier one repeats none of its steps."""

import pytest

from contracts.actor_kind import ActorKind
from contracts.event import RunStarted
from promptbus.settings import Settings
from tests.actors.coordinator.team import Team, at_the_bus, serving
from tests.actors.coordinator.test_leases import coordinator_of, delivery_of
from tests.contracts.stored_journals import NAMES, stored_journal, stored_messages

LED = [name for name in NAMES if not name.endswith("direct")]


async def write(found: Team, name: str, num_messages: int) -> RunStarted:
    """Store the first messages of that journal; its first event."""
    for message in stored_messages(name)[:num_messages]:
        await found.process.connection.jetstream.publish(
            message.subject, message.data, headers=dict(message.headers)
        )
    started = stored_journal(name)[0].event
    assert isinstance(started, RunStarted)
    return started


@pytest.mark.parametrize("name", LED)
async def test_a_whole_journal_is_over(settings: Settings, name: str) -> None:
    async with at_the_bus(settings) as found:
        started = await write(found, name, 99)
        before = await found.client.journal.read(started.run_id)
        await coordinator_of(found.process).lead(delivery_of(started.submitted, 2))
        assert await found.client.journal.read(started.run_id) == before
        assert not (await found.process.connection.jetstream.stream_info("TASKS")).state.messages


@pytest.mark.parametrize("name", LED)
async def test_a_broken_off_journal_is_led_on_from_where_it_was(
    settings: Settings, name: str
) -> None:
    journal = stored_journal(name)
    steps = [entry.subject.step for entry in journal]
    num_kept = steps.index("outcome") if "executor/1" in steps else 3
    async with at_the_bus(settings) as found:
        started = await write(found, name, num_kept)
        kept = await found.client.journal.read(started.run_id)
        async with serving(found.process, [ActorKind.SUMMARIZER, ActorKind.MONITOR]):
            submitted = started.submitted.model_copy(update={"deadline_s": None})
            if "executor/1" not in steps:
                await found.client.cancel(started.run_id)
            await coordinator_of(found.process).lead(delivery_of(submitted, 2))
        after = await found.client.journal.read(started.run_id)
        assert after[: len(kept)] == kept
        assert "outcome" in [entry.subject.step for entry in after]
