"""A process dies at each named point in turn: every run has its one outcome nevertheless."""

import re
from collections.abc import Iterator

import anyio
import pytest

from bus.crash_points import POINTS
from contracts.errors import InvalidInput
from contracts.event import RunAnswered
from promptbus.settings import load_settings
from tests.chaos.crash_scene import Ended, play

pytestmark = pytest.mark.slow

# Scenes mostly wait for leases to run out, so many may do so at once.
SCENES_AT_ONCE = 10
# What only clients publish.
BY_CLIENTS = re.compile(r"(PromptSubmitted|SubmitPrompt|CancelRequested|DeadLetter\w+)$")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended | Exception]]:
    """What became of a crash at each point; all are played at once, and each is judged alone."""
    folder = tmp_path_factory.mktemp("crashes")
    found: dict[str, Ended | Exception] = {}

    async def play_one(point: str, limit: anyio.CapacityLimiter) -> None:
        async with limit:
            (folder / point).mkdir()
            try:
                found[point] = await play(point, folder / point)
            except Exception as exc:
                found[point] = exc

    async def play_all() -> None:
        limit = anyio.CapacityLimiter(SCENES_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for point in POINTS:
                tasks.start_soon(play_one, point, limit)

    anyio.run(play_all)
    yield found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_there_costs_no_run_and_doubles_none(
    scenes: dict[str, Ended | Exception], point: str
) -> None:
    ended = scenes[point]
    assert isinstance(ended, Ended), f"nobody died at {point}, or not all ended: {ended!r}"
    # Clients write for a run that no coordinator has yet, so both may get there; each once.
    assert sorted(ended.deaths) in (["clients"], ["actors"], ["actors", "clients"])
    assert "clients" in ended.deaths or not BY_CLIENTS.search(point)
    assert set(ended.num_stored.values()) == {1}, "no event is written twice"
    script = ended.script
    for run_id in script.run_ids:
        assert len(ended.outcomes(run_id)) == 1
    (answered,) = ended.outcomes(script.answered)
    assert isinstance(answered, RunAnswered)
    assert answered.output == "hello"
    assert ended.outcomes(script.failed)[0].state == "failed"
    assert ended.outcomes(script.malformed)[0].state == "failed"
    assert ended.outcomes(script.cancelled)[0].state in {"cancelled", "answered"}


def test_there_is_a_point_before_and_after_everything() -> None:
    names = [name.partition("-") for name in POINTS]
    before = [action for moment, _, action in names if moment == "before"]
    assert before == [action for moment, _, action in names if moment == "after"]
    assert {"publish-RunAnswered", "publish-AnalyzePrompt", "ack-executor"} <= set(before)


def test_a_point_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is no crash point") as caught:
        load_settings(crash_at="before-lunch")
    assert caught.value.field == "--crash-at"
