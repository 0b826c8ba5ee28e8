import pytest

from contracts.waiting import WaitCause
from providers.local.manager.generation_times import GenerationTimes
from providers.local.manager.wait_notes import LoadUnderWay, Standing, write_note


def standing(**fields: object) -> Standing:
    return Standing(**{"model": "qwen", "waited_s": 2.0, "position": 0, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "cause", "message"),
    [
        (
            standing(load=LoadUnderWay("qwen", 0.41)),
            WaitCause.LOADING,
            "loading qwen, 41 % read",
        ),
        (standing(load=LoadUnderWay("qwen", 0.0)), WaitCause.LOADING, "loading qwen"),
        (
            standing(load=LoadUnderWay("qwen", 0.0, evicting=("llama", "gemma"))),
            WaitCause.EVICTING,
            "evicting llama, gemma first",
        ),
        (standing(load=LoadUnderWay("llama", 0.5)), WaitCause.QUEUED, "llama is loaded first"),
        (standing(slots=1, position=4), WaitCause.QUEUED, "behind 4 others"),
        (standing(slots=1, position=1), WaitCause.QUEUED, "behind 1 other"),
        (standing(slots=1), WaitCause.QUEUED, "next, once a generation has finished"),
        (standing(must_leave=("llama",)), WaitCause.NO_ROOM, "waiting for the memory of llama"),
        (
            standing(must_leave=("llama",), is_blocked=True),
            WaitCause.NO_ROOM,
            "memory is held by pinned models: llama",
        ),
        (standing(), WaitCause.QUEUED, "next to be loaded"),
    ],
)
def test_a_note_says_in_one_sentence_what_is_waited_for(
    place: Standing, cause: WaitCause, message: str
) -> None:
    note = write_note(place, "box")
    assert (note.cause, note.message) == (cause, message)
    assert (note.host, note.waited_s, note.model) == ("box", 2.0, "qwen")
    assert (note.progress is not None) == (cause is WaitCause.LOADING)


@pytest.mark.parametrize(
    ("place", "estimate_s"),
    [
        (standing(slots=1, num_running=1, position=2, generation_s=4.0), 12.0),
        (standing(slots=4, num_running=4, position=3, generation_s=4.0), 4.0),
        (standing(slots=4, num_running=1, position=0, generation_s=4.0), 0.0),
        (standing(slots=1, num_running=1, position=2), None),
        (standing(load=LoadUnderWay("qwen", 0.25, read_for_s=2.0)), 6.0),
        (standing(load=LoadUnderWay("qwen", 0.25, read_for_s=2.0), generation_s=9.0), 6.0),
        (standing(load=LoadUnderWay("qwen", 0.0, read_for_s=2.0)), None),
        (standing(load=LoadUnderWay("llama", 0.5, read_for_s=2.0)), None),
    ],
)
def test_what_is_left_is_estimated_from_what_was_seen(
    place: Standing, estimate_s: float | None
) -> None:
    assert write_note(place, None).estimate_s == estimate_s


def test_the_mean_of_generations_follows_the_newest() -> None:
    times = GenerationTimes()
    assert times.mean_s("a") is None
    times.add("a", 1.0)
    assert times.mean_s("a") == 1.0
    times.add("a", 2.0)
    assert times.mean_s("a") == 1.2
    for _ in range(30):
        times.add("a", 5.0)
    assert times.mean_s("a") == pytest.approx(5.0, abs=0.01)
    assert times.mean_s("b") is None
