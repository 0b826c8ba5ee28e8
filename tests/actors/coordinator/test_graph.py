"""The graph: what is drawn is what is run, and nodes stay a line of intent."""

import ast
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.coordinator import graph
from actors.coordinator.graph import StepError, build_graph
from tests.actors.coordinator.states import PERMANENT, failure

EDGES = {
    ("__start__", "analyzer"),
    ("__start__", "history"),
    ("analyzer", "monitor"),
    ("analyzer", "executor"),
    ("monitor", "executor"),
    ("executor", "validator"),
    ("executor", "executor"),
    ("executor", "outcome"),
    ("validator", "executor"),
    ("validator", "outcome"),
    ("outcome", "summarizer"),
    ("summarizer", "__end__"),
}
NODES = (
    graph.analyzer,
    graph.history,
    graph.monitor,
    graph.executor,
    graph.validator,
    graph.outcome,
    graph.summarizer,
)


def test_the_graph_has_these_edges_and_no_others() -> None:
    drawn = build_graph().get_graph()
    # The history's branch ends where the analyzer's goes on, so it is drawn as an end.
    edges = {(edge.source, edge.target) for edge in drawn.edges} - {("history", "__end__")}
    assert edges == EDGES


def test_every_node_is_drawn_by_the_name_of_its_actor() -> None:
    names = set(build_graph().get_graph().nodes) - {"__start__", "__end__"}
    assert names == {node.__name__ for node in NODES}


@pytest.mark.parametrize("node", NODES)
def test_a_node_asks_the_conductor_once_and_decides_nothing(
    node: Callable[..., Coroutine[Any, Any, Any]],
) -> None:
    tree = ast.parse(inspect.getsource(node))
    awaits = [found for found in ast.walk(tree) if isinstance(found, ast.Await)]
    loops = [found for found in ast.walk(tree) if isinstance(found, (ast.For, ast.While, ast.Try))]
    assert len(awaits) == 1
    assert loops == []


def test_a_step_error_says_which_step_and_why() -> None:
    error = StepError("analyzer/1", failure(PERMANENT))
    assert (error.step, str(error)) == ("analyzer/1", PERMANENT.message)
