"""What an order makes of a placement; pure."""

from hypothesis import given
from hypothesis import strategies as st

from actors.executor.control import with_model, with_pin, without_models
from contracts.placement import PlacedModel

names = st.sampled_from(("a", "b", "c"))
strategies = st.sampled_from(("standard", "streaming"))
placements = st.lists(
    st.builds(PlacedModel, model=names, strategy=strategies, pinned=st.booleans()),
    unique_by=lambda placed: placed.model,
).map(tuple)


@given(placements, names, strategies)
def test_a_loaded_model_is_placed_once_and_the_others_stay(
    placed: tuple[PlacedModel, ...], model: str, strategy: str
) -> None:
    after = with_model(placed, model, strategy)
    (found,) = [one for one in after if one.model == model]
    assert found.strategy == strategy
    assert found.pinned == any(one.pinned for one in placed if one.model == model)
    assert without_models(after, {model}) == without_models(placed, {model})
    assert with_model(after, model, strategy) == after


@given(placements, names, strategies, st.booleans())
def test_pinning_places_and_unpinning_does_not(
    placed: tuple[PlacedModel, ...], model: str, strategy: str, pinned: bool
) -> None:
    after = with_pin(placed, model, strategy, pinned=pinned)
    was_placed = any(one.model == model for one in placed)
    found = [one for one in after if one.model == model]
    assert len(found) == (1 if was_placed or pinned else 0)
    assert all(one.pinned == pinned for one in found)
    assert without_models(after, {model}) == without_models(placed, {model})
    assert with_pin(after, model, strategy, pinned=pinned) == after
