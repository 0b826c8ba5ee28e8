"""How tokens are drawn: exactly by their probabilities, and each request by its own."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from providers.local.sampling import TokenChooser, mark_choices

NUM_DRAWS = 4000


def chooser(
    temperature: float = 1.0, top_p: float = 1.0, penalty: float = 1.0, seed: int = 0
) -> TokenChooser:
    generator = torch.Generator().manual_seed(seed)
    return TokenChooser(temperature, top_p, penalty, generator, None, num_prompt_tokens=0)


def draw(scores: torch.Tensor, one: TokenChooser, tokens: tuple[int, ...] = ()) -> int:
    rows = scores.clone().unsqueeze(0)
    mark_choices(rows, [(0, one, tokens)])
    return int(rows.argmax())


def assert_drawn_by(probs: torch.Tensor, counts: torch.Tensor) -> None:
    """Within five standard deviations of what ``probs`` make one expect."""
    expected = probs * NUM_DRAWS
    deviation = (expected * (1 - probs)).sqrt()
    assert bool(((counts - expected).abs() <= 5 * deviation + 1e-6).all())


SCORES = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -3.0])


def test_tokens_are_drawn_as_often_as_transformers_says_they_are_likely() -> None:
    for temperature, top_p in ((1.0, 1.0), (0.5, 1.0), (1.5, 0.9), (1.0, 0.7)):
        one = chooser(temperature, top_p)
        drawn = torch.tensor([draw(SCORES, one) for _ in range(NUM_DRAWS)])
        scores = TemperatureLogitsWarper(temperature)(None, SCORES.unsqueeze(0))
        if top_p < 1.0:
            scores = TopPLogitsWarper(top_p)(None, scores)
        probs = torch.softmax(scores, dim=-1)[0]
        assert_drawn_by(probs, torch.bincount(drawn, minlength=len(SCORES)))


def test_a_penalty_is_that_of_transformers() -> None:
    tokens = (0, 1, 1, 4)
    plain = SCORES.clone().unsqueeze(0)
    chooser(temperature=0.0, penalty=1.7).adjust(plain, tokens)
    expected = RepetitionPenaltyLogitsProcessor(1.7)(
        torch.tensor([tokens]), SCORES.clone().unsqueeze(0)
    )
    assert torch.equal(plain, expected)


PARAMETERS = st.tuples(
    st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    st.sampled_from([1.0, 0.95, 0.5, 1e-6]),
    st.sampled_from([1.0, 1.3]),
    st.integers(0, 1000),
)


@settings(max_examples=60)
@given(st.lists(PARAMETERS, min_size=1, max_size=6), st.integers(0, 2**31))
def test_a_row_gets_what_it_gets_alone(
    parameters: list[tuple[float, float, float, int]], seed: int
) -> None:
    scores = torch.randn(
        (len(parameters), 50), generator=torch.Generator().manual_seed(seed), dtype=torch.float32
    )
    tokens = (1, 2, 3)
    alone = [draw(row, chooser(*one), tokens) for row, one in zip(scores, parameters, strict=True)]
    together = scores.clone()
    mark_choices(together, [(row, chooser(*one), tokens) for row, one in enumerate(parameters)])
    assert together.argmax(dim=-1).tolist() == alone


@given(st.integers(0, 2**31), st.floats(0.05, 0.999))
def test_nothing_outside_the_nucleus_is_drawn(seed: int, top_p: float) -> None:
    scores = torch.randn(40, generator=torch.Generator().manual_seed(seed)) * 3
    ordered = torch.softmax(scores, dim=-1).sort(descending=True)
    size = int((ordered.values.cumsum(0) < top_p - 1e-6).sum()) + 1
    one = chooser(top_p=top_p, seed=seed)
    allowed = set(ordered.indices[: size + 1].tolist())
    assert {draw(scores, one) for _ in range(20)} <= allowed
