"""The same key is the same run, whoever submits it, how often, and whatever has become of it."""

import anyio
import pytest

from bus.topology import RUNS
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput
from contracts.event import RunAnswered, RunCancelled
from contracts.idempotency import IdempotencyMismatch, keyed_run_id, request_digest
from contracts.prompt import Priority, SubmitPrompt
from promptbus.settings import Settings
from tests.actors.coordinator.team import Team, at_the_bus, serving, team

PROMPT = SubmitPrompt(prompt="Say: hello", model="echo", max_attempts=1)
OTHER = SubmitPrompt(prompt="Say: bye", model="echo", max_attempts=1)


async def num_queued(found: Team) -> int:
    """Prompts that nobody has done with."""
    return (await found.process.connection.jetstream.stream_info("PROMPTS")).state.messages


async def test_fifty_submissions_at_once_are_one_run(settings: Settings) -> None:
    async with team(settings) as found:
        run_ids: set[str] = set()

        async def submit() -> None:
            run_ids.add(await found.client.submit(PROMPT, idempotency_key="k"))

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(submit)
        assert run_ids == {keyed_run_id("k")}
        outcome = await found.outcome(keyed_run_id("k"))
        assert isinstance(outcome, RunAnswered)
        await found.idle("PROMPTS")
        journal = await found.client.journal.read(keyed_run_id("k"))
        await submit()
        assert await found.client.journal.read(keyed_run_id("k")) == journal
        assert await num_queued(found) == 0


async def test_another_body_is_refused_while_queued_and_when_done(settings: Settings) -> None:
    async with at_the_bus(settings) as found:
        run_id = await found.client.submit(PROMPT, idempotency_key="k")
        for other, priority in ((OTHER, Priority.NORMAL), (PROMPT, Priority.BATCH)):
            with pytest.raises(IdempotencyMismatch, match=run_id):
                await found.client.submit(other, priority, idempotency_key="k")
        assert await num_queued(found) == 1
        assert (await found.client.view(run_id)).state == "queued"
        async with serving(found.process, ActorKind):
            assert isinstance(await found.outcome(run_id), RunAnswered)
        with pytest.raises(IdempotencyMismatch):
            await found.client.submit(OTHER, idempotency_key="k")
        assert await found.client.submit(PROMPT, idempotency_key="k") == run_id


async def test_a_claim_whose_writer_died_before_it_sent_is_sent_by_the_next(
    settings: Settings,
) -> None:
    async with team(settings) as found:
        run_id = keyed_run_id("k")
        await found.client.claims.claim(run_id, request_digest(PROMPT, Priority.NORMAL))
        assert await num_queued(found) == 0
        assert await found.client.submit(PROMPT, idempotency_key="k") == run_id
        assert isinstance(await found.outcome(run_id), RunAnswered)


async def test_a_run_remembers_its_body_when_its_claim_is_gone(settings: Settings) -> None:
    async with team(settings) as found:
        run_id = await found.client.submit(PROMPT, idempotency_key="k")
        await found.outcome(run_id)
        claim = subjects.run_event(run_id, subjects.SUBMITTED)
        await found.process.connection.jetstream.purge_stream(RUNS, subject=claim)
        with pytest.raises(IdempotencyMismatch):
            await found.client.submit(OTHER, idempotency_key="k")


async def test_a_cancelled_run_stays_the_run_of_its_key(settings: Settings) -> None:
    async with team(settings, without=[ActorKind.EXECUTOR]) as found:
        run_id = await found.client.submit(PROMPT, idempotency_key="k")
        await found.reached(run_id, "analyzer/1")
        await found.client.cancel(run_id)
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunCancelled)
        assert await found.client.submit(PROMPT, idempotency_key="k") == run_id
        assert await found.outcome(run_id) == outcome


async def test_owners_do_not_share_keys_and_no_key_is_no_run(settings: Settings) -> None:
    async with at_the_bus(settings) as found:
        run_ids = {
            await found.client.submit(PROMPT, idempotency_key="k", owner=owner)
            for owner in ("", "a", "b")
        }
        assert len(run_ids) == 3
        before = await num_queued(found)
        for key in ("", "x" * 300, "a\x00b"):
            with pytest.raises(InvalidInput):
                await found.client.submit(PROMPT, idempotency_key=key)
        assert await num_queued(found) == before
