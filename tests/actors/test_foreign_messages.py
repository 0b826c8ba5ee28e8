"""Messages that are none of ours, wherever we listen: each has its answer, and service goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from actors.burial import MAX_DEAD_PAYLOAD_BYTES
from bus.prompt_client import Token
from contracts.actor_kind import ActorKind
from contracts.dead_letter import DeadLetter
from contracts.envelope import CE_TYPE
from contracts.event import RunAnswered, RunFailed
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from promptbus.settings import Settings
from tests.actors.coordinator.team import Team, team

RUN = new_run_id()
DEEP = b'{"prompt":' + b"[" * 100_000
# What was sent, and the field or words by which the dead letter names what is wrong with it.
PROMPTS: dict[bytes, str] = {
    b"": "not valid JSON",
    b"junk": "not valid JSON",
    b"\xff\xfe\x00": "not valid JSON",
    b"[1, 2]": "body",
    b"{}": "prompt: is missing",
    b'{"prompt": 5}': "prompt",
    b'{"prompt": " "}': "prompt: is empty",
    b'{"prompt": "a\\u0000b"}': "U+0000",
    b'{"prompt": "hi", "temperature": 1e999}': "temperature",
    b'{"prompt": "hi", "temperature": NaN}': "temperature",
    b'{"prompt": "hi", "run_id": "../../etc"}': "run_id",
    b'{"prompt": "hi", "run_id": ["a"]}': "run_id",
    b'{"prompt": "hi", "max_attempts": 1000000}': "max_attempts",
    DEEP: "not valid JSON",
}
TASKS: dict[bytes, str] = {
    b"junk": "not valid JSON",
    b"{}": "run_id",
    b'{"run_id": "x", "prompt": "p", "output": "o"}': "run_id",
    b'{"run_id": "%b", "attempt": 0, "prompt": "p", "output": "o"}' % RUN.encode(): "attempt",
    b'{"run_id": "%b", "attempt": 1e9, "prompt": "p", "output": "o"}' % RUN.encode(): "attempt",
}


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[Team]:
    """A team that, after whatever was done to it, still answers a prompt."""
    async with team(settings) as found:
        yield found
        for priority in Priority:
            run_id = new_run_id()
            await found.submit_raw(
                {"prompt": "Say: hello", "model": "echo", "run_id": run_id}, priority
            )
            assert isinstance(await found.outcome(run_id), RunAnswered)
        await found.idle("PROMPTS")


async def publish(found: Team, subject: str, data: bytes, **headers: str) -> None:
    """Store ``data`` on ``subject``, as anybody in the account may."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    await found.process.connection.jetstream.publish(subject, data, headers=named or None)


def letter_on(letters: list[DeadLetter], payload: bytes) -> DeadLetter:
    """The letter on that payload, or on as much of it as a letter keeps."""
    text = payload.decode(errors="replace")
    (letter,) = (one for one in letters if one.payload == text[:MAX_DEAD_PAYLOAD_BYTES])
    return letter


async def test_what_is_no_prompt_becomes_a_dead_letter_that_names_the_fault(
    settings: Settings,
) -> None:
    async with at_work(settings) as found:
        for payload in PROMPTS:
            await publish(found, "prompts.normal", payload)
        letters = await found.dead_letters(ActorKind.COORDINATOR, len(PROMPTS))
        assert len(letters) == len(PROMPTS)
        for payload, reason in PROMPTS.items():
            letter = letter_on(letters, payload)
            assert reason in letter.error.message
            assert letter.error.code == "malformed_message"
            assert letter.subject == "prompts.normal"


async def test_whoever_names_a_run_with_a_malformed_prompt_gets_an_outcome(
    settings: Settings,
) -> None:
    run_id = new_run_id()
    async with at_work(settings) as found:
        await found.submit_raw({"run_id": run_id, "prompt": "hi", "top_p": "much"})
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunFailed)
        assert outcome.error.code == "malformed_message"
        (letter,) = await found.dead_letters(ActorKind.COORDINATOR)
        assert letter.run_id == run_id


@pytest.mark.parametrize("kind", [ActorKind.VALIDATOR, ActorKind.EXECUTOR])
async def test_what_is_no_task_becomes_a_dead_letter_that_names_the_fault(
    settings: Settings, kind: ActorKind
) -> None:
    queue = "tasks.executor.echo.normal" if kind is ActorKind.EXECUTOR else f"tasks.{kind}"
    async with at_work(settings) as found:
        for payload in TASKS:
            await publish(found, queue, payload)
        await publish(found, queue, b"{}", **{CE_TYPE: "promptbus.SubmitPrompt"})
        letters = await found.dead_letters(kind, len(TASKS) + 1)
        for payload, reason in TASKS.items():
            assert any(
                one.payload == payload.decode() and reason in one.error.message for one in letters
            )
        assert any("takes no 'promptbus.SubmitPrompt'" in one.error.message for one in letters)
        assert {one.subject for one in letters} == {queue}
        await found.idle()


async def test_a_long_payload_is_whole_in_its_dead_letter(settings: Settings) -> None:
    async with at_work(settings) as found:
        await publish(found, "tasks.analyzer", b"\x01" * 900_000)
        (letter,) = await found.dead_letters(ActorKind.ANALYZER)
        assert (len(letter.payload), letter.is_whole) == (900_000, True)


async def test_what_is_no_event_is_passed_over_in_a_journal(settings: Settings) -> None:
    async with at_work(settings) as found:
        run_id = new_run_id()
        for place in ("nonsense", "analyzer.9.9", "executor.0", "executor.7", "summarizer.2"):
            await publish(found, f"runs.{run_id}.{place}", b"junk")
        await publish(found, "runs.not-a-run.started", b"junk")
        await publish(found, "runs.not-a-run.outcome", b"junk")
        await found.submit(run_id=run_id, model="echo")
        assert isinstance(await found.outcome(run_id), RunAnswered)
        assert "executor/7" not in await found.steps(run_id)


async def test_a_forged_copy_of_a_stored_event_changes_nothing(settings: Settings) -> None:
    client_headers = {"Nats-Sequence": "many", "Nats-Time-Stamp": "yesterday"}
    async with at_work(settings) as found:
        run_id = new_run_id()
        client = found.process.connection.client
        for name in ("started", "executor.1", "outcome", "cancel", "a.b.c.d"):
            await client.publish(f"stored.runs.{run_id}.{name}", b"junk")
            await client.publish(f"stored.runs.{run_id}.{name}", b"{}", headers=client_headers)
        await client.publish("stored.runs", b"junk")
        await found.submit(run_id=run_id, model="echo")
        assert isinstance(await found.outcome(run_id), RunAnswered)


async def test_a_run_whose_beginning_is_taken_fails_and_says_why(settings: Settings) -> None:
    async with at_work(settings) as found:
        run_id = new_run_id()
        await publish(found, f"runs.{run_id}.started", b"junk")
        await found.submit(run_id=run_id, model="echo")
        outcome = await found.outcome(run_id)
        assert isinstance(outcome, RunFailed)
        assert outcome.error.code == "malformed_message"
        assert f"runs.{run_id}.started" in outcome.error.message


async def test_a_run_whose_outcome_is_taken_becomes_a_dead_letter(settings: Settings) -> None:
    async with at_work(settings) as found:
        run_id = new_run_id()
        await publish(found, f"runs.{run_id}.outcome", b"junk")
        await found.submit(run_id=run_id, model="echo")
        (letter,) = await found.dead_letters(ActorKind.COORDINATOR)
        assert letter.run_id == run_id
        assert f"runs.{run_id}.outcome" in letter.error.message


async def test_a_run_one_of_whose_steps_is_taken_ends_at_its_deadline(settings: Settings) -> None:
    async with at_work(settings) as found:
        run_id = new_run_id()
        await publish(found, f"runs.{run_id}.validator.1", b"junk")
        await found.submit(run_id=run_id, model="echo", deadline_s=2.0)
        assert isinstance(await found.outcome(run_id), RunFailed)
        (letter,) = await found.dead_letters(ActorKind.VALIDATOR)
        assert letter.run_id == run_id
        assert f"runs.{run_id}.validator.1" in letter.error.message


async def test_junk_among_tokens_and_spans_is_passed_over(settings: Settings) -> None:
    async with at_work(settings) as found:
        run_id = new_run_id()
        for place in (run_id + ".1", run_id + ".0", run_id + ".x", "nobody.1"):
            await publish(found, f"tokens.{place}", b'{"offset": "x"}')
        await publish(found, f"spans.{run_id}", b"junk")
        await publish(found, "spans.nonsense", b'{"spans": 5}')
        await found.submit(run_id=run_id, model="echo")
        text = ""
        with anyio.fail_after(20):
            async for item in found.client.follow(run_id):
                text += item.delta.text if isinstance(item, Token) else ""
        assert text == "Say: hello"


@pytest.mark.parametrize("subject", ["tasks.nobody", "tasks.executor.nothing.normal"])
async def test_what_nobody_listens_to_holds_nobody_up(settings: Settings, subject: str) -> None:
    async with at_work(settings) as found:
        await publish(found, subject, b"junk")
