"""Where a run stands is told from the bus alone, whoever is there or not."""

import anyio
import pytest

from contracts.actor_kind import ActorKind
from contracts.errors import UnknownRun
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.settings import Settings
from tests.actors.coordinator.team import (
    Team,
    at_the_bus,
    team,
)


async def standing(found: Team, run_id: str) -> str:
    """The sentence."""
    view = await found.client.view(run_id)
    assert view.standing is not None
    return view.standing


async def test_a_prompt_that_nobody_leads_says_so(settings: Settings) -> None:
    async with at_the_bus(settings) as found:
        run_id = await found.client.submit(SubmitPrompt(prompt="hi", model="echo"))
        sentence = await standing(found, run_id)
        assert sentence == "accepted; no coordinator is present to lead it"
        with pytest.raises(UnknownRun):
            await found.client.view(new_run_id())


async def test_a_run_whose_coordinator_is_gone_says_how_far_it_was(settings: Settings) -> None:
    async with at_the_bus(settings) as bus:
        async with team(settings, without=[ActorKind.EXECUTOR, ActorKind.MONITOR]) as found:
            run_id = await found.client.submit(SubmitPrompt(prompt="hi", model="echo"))
            await found.reached(run_id, "history/1")
            await found.reached(run_id, "analyzer/1")
            assert "; no executor is present" in await standing(found, run_id)
        with anyio.fail_after(20):
            while "no coordinator is present to lead it" not in await standing(bus, run_id):
                await anyio.sleep(0.05)


async def test_a_generation_says_who_works_on_it_and_a_finished_run_says_nothing(
    settings: Settings,
) -> None:
    slow = settings.model_copy(update={"echo_pause_s": 0.02})
    async with team(slow) as found:
        prompt = "word " * 100
        run_id = await found.submit(prompt, model="echo", strategy="standard", max_attempts=1)
        await found.reached(run_id, "history/1")
        await anyio.sleep(0.2)
        assert "; an executor works on it" in await standing(found, run_id)
        await found.outcome(run_id)
        assert (await found.client.view(run_id)).standing is None
