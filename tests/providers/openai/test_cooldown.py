from hypothesis import given
from hypothesis import strategies as st

from providers.openai.cooldown import FIRST_S, LONGEST_S, MAX_FAILURES, PROBE_S, Cooldown


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def cooling() -> tuple[Clock, Cooldown]:
    """A key ``a`` that has just begun to cool."""
    clock = Clock()
    cooldown = Cooldown(clock)
    for _ in range(MAX_FAILURES):
        assert cooldown.admit("a") == 0
        cooldown.fail("a")
    return clock, cooldown


def test_a_key_cools_after_so_many_failures_in_a_row_and_no_other_does() -> None:
    _, cooldown = cooling()
    assert cooldown.admit("a") == FIRST_S
    assert cooldown.admit("b") == 0


def test_a_success_forgives_all_failures() -> None:
    cooldown = Cooldown(Clock())
    for _ in range(10):
        for _ in range(MAX_FAILURES - 1):
            cooldown.fail("a")
        cooldown.succeed("a")
    assert cooldown.admit("a") == 0


def test_after_the_pause_one_request_tries_and_its_success_lets_the_others_follow() -> None:
    clock, cooldown = cooling()
    clock.now_s += FIRST_S
    assert [cooldown.admit("a") for _ in range(3)] == [0, PROBE_S, PROBE_S]
    cooldown.succeed("a")
    assert [cooldown.admit("a") for _ in range(3)] == [0, 0, 0]


def test_a_failed_try_doubles_the_pause_and_an_abandoned_one_leaves_the_place() -> None:
    clock, cooldown = cooling()
    clock.now_s += FIRST_S
    assert cooldown.admit("a") == 0
    cooldown.abandon("a")
    assert cooldown.admit("a") == 0
    cooldown.fail("a")
    assert cooldown.admit("a") == 2 * FIRST_S


def test_requests_under_way_when_the_key_began_to_cool_count_once() -> None:
    clock, cooldown = cooling()
    for _ in range(50):
        cooldown.fail("a")
    assert cooldown.admit("a") == FIRST_S
    clock.now_s += FIRST_S
    assert cooldown.admit("a") == 0


def test_the_servers_own_wish_is_kept_at_once_but_within_bounds() -> None:
    cooldown = Cooldown(Clock())
    cooldown.fail("a", retry_after_s=30.0)
    assert cooldown.admit("a") == 30.0
    cooldown.fail("b", retry_after_s=1e9)
    assert cooldown.admit("b") == LONGEST_S


@given(st.lists(st.tuples(st.sampled_from("fsawt"), st.floats(0, 100)), max_size=80))
def test_nobody_ever_waits_longer_than_the_longest_pause(moves: list[tuple[str, float]]) -> None:
    clock = Clock()
    cooldown = Cooldown(clock)
    for move, amount in moves:
        if move == "t":
            clock.now_s += amount
        elif move == "w":
            cooldown.fail("a", retry_after_s=amount)
        else:
            {"f": cooldown.fail, "s": cooldown.succeed, "a": cooldown.abandon}[move]("a")
        assert 0 <= cooldown.admit("a") <= LONGEST_S
    clock.now_s += LONGEST_S
    cooldown.abandon("a")
    assert cooldown.admit("a") == 0
