"""Which turns fit a budget."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.history.turns import TurnPair, estimate_tokens, keep_newest

PAIRS = st.lists(
    st.builds(TurnPair, st.text(max_size=40), st.text(max_size=40), st.integers(1, 99))
)


@given(pairs=PAIRS, budget_tokens=st.integers(0, 200))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_kept_fits_and_the_next_would_not(
    pairs: list[TurnPair], budget_tokens: int
) -> None:
    kept = keep_newest(pairs, budget_tokens)
    used = sum(pair.num_tokens for pair in kept)
    assert kept == pairs[: len(kept)]
    assert used <= budget_tokens
    if len(kept) < len(pairs):
        assert used + pairs[len(kept)].num_tokens > budget_tokens


def test_four_bytes_are_a_token_and_each_message_costs_its_marks() -> None:
    assert estimate_tokens("") == 4
    assert estimate_tokens("abcd") == 5
    assert estimate_tokens("abcde") == 6
    assert estimate_tokens("日本語") == 7
