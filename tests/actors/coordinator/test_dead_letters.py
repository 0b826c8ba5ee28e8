"""Dead letters in a person's hands: each is replayed or dropped once, and leads where it says."""

import json

import anyio
import pytest

from actors.actor import Step
from bus.dead_letters import DeadLetters
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput, OutOfMemory, RemoteError
from contracts.event import RunAnswered, RunFailed, RunStarted, StepEvent
from contracts.letter_error import LetterSettled, UnknownLetter
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.settings import Settings
from tests.actors.coordinator.team import (
    SCRIPTED,
    ScriptedExecutor,
    Team,
    answer_to,
    at_the_bus,
    serving,
    team,
)

HELLO = '{"prompt": "Say: hello", "model": "echo"}'


def letters_of(found: Team) -> DeadLetters:
    """The dead letters of that bus."""
    return found.client.dead_letters


async def only_letter(found: Team, actor: ActorKind) -> str:
    """The id of the one letter there is."""
    await found.dead_letters(actor)
    (view,) = await letters_of(found).page()
    return str(view.letter_id)


async def test_a_malformed_prompt_is_edited_and_replayed_as_a_run_linked_to_its_own(
    settings: Settings,
) -> None:
    run_id = new_run_id()
    async with team(settings) as found:
        letters = letters_of(found)
        await found.submit_raw({"run_id": run_id, "prompt": "hi", "top_p": "much"})
        letter_id = await only_letter(found, ActorKind.COORDINATOR)
        before = await letters.find(letter_id)
        assert (before.state, before.replay_sends) == ("open", None)
        assert before.obstacle is not None
        assert before.obstacle.field == "top_p"
        with pytest.raises(InvalidInput, match="top_p"):
            await letters.replay(letter_id)
        edited = await letters.edit(letter_id, HELLO)
        assert (edited.edited, edited.payload) == (True, HELLO)
        replayed = await letters.replay(letter_id)
        assert (replayed.state, replayed.run_id) == ("replayed", run_id)
        assert replayed.replayed_as not in {None, run_id}
        outcome = await found.outcome(str(replayed.replayed_as))
        assert isinstance(outcome, RunAnswered)
        view = await found.client.view(str(replayed.replayed_as))
        assert (view.replay_of, view.prompt) == (run_id, "Say: hello")
        assert isinstance(await found.outcome(run_id), RunFailed)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ("", "body"),
        ("[]", "body"),
        ('{"prompt": 5}', "prompt"),
        ('{"prompt": "a", "temperature": 9}', "temperature"),
        ('{"prompt": "a", "mood": 1}', "mood"),
        ('{"prompt": "a\udc00"}', "payload"),
        ('{"prompt": "a\\u0000"}', "prompt"),
    ],
)
async def test_an_edit_that_is_no_prompt_changes_nothing(
    settings: Settings, payload: str, field: str
) -> None:
    async with team(settings, kinds=[ActorKind.COORDINATOR]) as found:
        await found.submit_raw({"prompt": 5})
        letter_id = await only_letter(found, ActorKind.COORDINATOR)
        with pytest.raises(InvalidInput) as caught:
            await letters_of(found).edit(letter_id, payload)
        assert caught.value.field == field
        assert not (await letters_of(found).find(letter_id)).edited


async def test_what_was_replayed_ten_times_at_once_is_one_run(settings: Settings) -> None:
    async with team(settings) as found:
        await found.submit_raw({"prompt": 5})
        letter_id = await only_letter(found, ActorKind.COORDINATOR)
        await letters_of(found).edit(letter_id, HELLO)
        run_ids: set[str | None] = set()

        async def replay() -> None:
            run_ids.add((await letters_of(found).replay(letter_id)).replayed_as)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(replay)
        (run_id,) = run_ids
        assert isinstance(await found.outcome(str(run_id)), RunAnswered)
        await found.idle("PROMPTS")
        journal = await found.client.journal.read(str(run_id))
        await replay()
        assert await found.client.journal.read(str(run_id)) == journal
        assert not (await found.process.connection.jetstream.stream_info("PROMPTS")).state.messages


async def test_a_letter_is_settled_once(settings: Settings) -> None:
    async with team(settings, kinds=[ActorKind.COORDINATOR]) as found:
        letters = letters_of(found)
        await found.submit_raw({"prompt": 5})
        letter_id = await only_letter(found, ActorKind.COORDINATOR)
        dropped = await letters.drop(letter_id, "spam")
        assert (dropped.state, dropped.reason) == ("dropped", "spam")
        assert (await letters.drop(letter_id)).reason == "spam"
        for again in (letters.replay(letter_id), letters.edit(letter_id, HELLO)):
            with pytest.raises(LetterSettled):
                await again
        assert await letters.page(state="open") == []
        (listed,) = await letters.page(state="dropped")
        assert (listed.letter_id, listed.payload) == (int(letter_id), "")


async def test_a_failed_run_is_tried_again_with_what_was_changed_in_its_prompt(
    settings: Settings,
) -> None:
    async def play(task: GenerateAnswer, _step: Step) -> StepEvent:
        if (task.max_tokens or 999) > 10:
            raise OutOfMemory(model=SCRIPTED, device="cpu", reason="too long")
        return answer_to(task)

    async with team(settings, ScriptedExecutor(play)) as found:
        letters = letters_of(found)
        run_id = await found.submit(model=SCRIPTED, strategy="standard", session_id="s")
        failed = await found.outcome(run_id)
        assert isinstance(failed, RunFailed)
        letter_id = await only_letter(found, ActorKind.EXECUTOR)
        shown = await letters.find(letter_id)
        assert shown.replay_sends is not None
        assert shown.replay_sends.subject == f"prompts.normal.{shown.replay_sends.run_id}"
        changed = '{"prompt": "Say: hello", "model": "scripted", "max_tokens": 5}'
        await letters.edit(letter_id, changed)
        again = str((await letters.replay(letter_id)).replayed_as)
        assert isinstance(await found.outcome(again), RunAnswered)
        begun = (await found.events(again))["started"]
        assert isinstance(begun, RunStarted)
        assert (begun.submitted.replay_of, begun.submitted.max_tokens) == (run_id, 5)
        assert (await found.events(run_id))["outcome"] == failed


async def test_a_task_that_its_run_still_waits_for_goes_back_to_its_queue(
    settings: Settings,
) -> None:
    task = {"attempt": 1, "prompt": "hi", "output": "o"}
    async with team(settings, without=[ActorKind.VALIDATOR]) as found:
        letters = letters_of(found)
        run_id = await found.submit(model="echo", max_attempts=1)
        await found.reached(run_id, "executor/1")
        queued = await found.process.connection.jetstream.pull_subscribe_bind(
            "validator", stream="TASKS"
        )
        (lost,) = await queued.fetch(1)
        await lost.term()
        await found.process.connection.jetstream.publish(
            "tasks.validator", b'{"run_id": "%b", "attempt": 0}' % run_id.encode()
        )
        async with serving(found.process, [ActorKind.VALIDATOR]):
            letter_id = await only_letter(found, ActorKind.VALIDATOR)
            await letters.edit(letter_id, json.dumps({**task, "run_id": run_id}))
            replayed = await letters.replay(letter_id)
            assert replayed.replayed_as == run_id
            assert isinstance(await found.outcome(run_id), RunAnswered)
            assert (await letters.replay(letter_id)).replayed_as == run_id


async def test_a_direct_generation_is_generated_again_under_a_run_of_its_own(
    settings: Settings,
) -> None:
    failing = [True]

    async def play(task: GenerateAnswer, _step: Step) -> StepEvent:
        if failing:
            failing.clear()
            raise OutOfMemory(model=SCRIPTED, device="cpu", reason="full")
        return answer_to(task)

    async with team(settings, ScriptedExecutor(play), kinds=[]) as found:
        task = GenerateAnswer(run_id=new_run_id(), model=SCRIPTED, prompt="hi", timeout_s=10)
        with pytest.raises(RemoteError):
            await found.client.generate(task)
        letter_id = await only_letter(found, ActorKind.EXECUTOR)
        replayed = await letters_of(found).replay(letter_id)
        assert replayed.replayed_as != task.run_id
        await found.reached(str(replayed.replayed_as), "executor/1")


@pytest.mark.parametrize("letter_id", ["0", "7", "-1", "x", "", "1.5", "9" * 40, "*", "²"])
async def test_an_id_that_no_letter_has_is_told(settings: Settings, letter_id: str) -> None:
    async with at_the_bus(settings) as found:
        letters = letters_of(found)
        for call in (letters.find, letters.replay, letters.drop):
            with pytest.raises(UnknownLetter):
                await call(letter_id)


async def test_pages_follow_each_other_from_the_newest(settings: Settings) -> None:
    async with team(settings, kinds=[ActorKind.COORDINATOR]) as found:
        letters = letters_of(found)
        for number in range(7):
            await found.submit_raw({"prompt": number})
        await found.dead_letters(ActorKind.COORDINATOR, 7)
        seen: list[int] = []
        before = None
        while page := await letters.page(limit=3, before=before):
            seen += [view.letter_id for view in page]
            before = seen[-1]
        assert seen == sorted(seen, reverse=True)
        assert len(seen) == 7
