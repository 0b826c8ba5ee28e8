import itertools

from hypothesis import given
from hypothesis import strategies as st

from providers.registries.fallback_chain import expand_chain, find_cycle

NAMES = st.sampled_from("abcdef")
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES, max_size=4), max_size=6)


def test_own_fallbacks_come_before_those_of_the_fallbacks() -> None:
    graph = {"a": ["b", "c"], "b": ["d"], "c": ["b", "e"]}
    assert expand_chain("a", graph) == ("a", "b", "c", "d", "e")
    assert expand_chain("e", graph) == ("e",)


def test_a_circle_is_found_and_named() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ("b", "c", "b")
    assert find_cycle({"a": ["a"]}) == ("a", "a")
    assert find_cycle({"a": ["b", "c"], "b": ["c"], "c": []}) == ()


@given(NAMES, GRAPHS)
def test_a_chain_begins_with_what_was_asked_for_and_holds_each_once(
    name: str, graph: dict[str, list[str]]
) -> None:
    chain = expand_chain(name, graph)
    assert chain[0] == name
    assert len(set(chain)) == len(chain)
    reached = {fallback for key in chain for fallback in graph.get(key, ())}
    assert set(chain) == reached | {name}


@given(GRAPHS)
def test_a_circle_exists_exactly_where_a_model_can_lead_to_itself(
    graph: dict[str, list[str]],
) -> None:
    leads_back = any(
        key in expand_chain(fallback, graph) for key in graph for fallback in graph[key]
    )
    cycle = find_cycle(graph)
    assert bool(cycle) == leads_back
    for here, there in itertools.pairwise(cycle):
        assert there in graph[here]
