"""A run as one call of Python."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import DeadlineExceeded, InvalidInput, NotReady
from promptbus.orchestrator import arun_orchestrator, run_orchestrator
from promptbus.settings import Settings
from tests.promptbus.conftest import System


@pytest.fixture
def settings(system: System) -> Iterator[Settings]:
    """Settings that lead to the system by its data folder."""
    yield Settings(data_dir=system.data_dir)


def test_a_prompt_is_answered_with_the_way_it_went(settings: Settings) -> None:
    answer = run_orchestrator("Translate these words", settings=settings, model="echo")
    assert (answer["state"], answer["output"]) == ("answered", "Translate these words")
    assert (answer["task_type"], answer["selected_model"]) == ("translate", "echo")
    assert answer["execution_metrics"]["total_time_ms"] >= 0
    nodes = [node["id"] for node in answer["flow"]["nodes"]]
    assert {"analyzer/1", "executor/1", "validator/1"} <= set(nodes)
    edges = {(edge["source"], edge["target"]) for edge in answer["flow"]["edges"]}
    assert ("executor/1", "validator/1") in edges


async def test_code_in_an_event_loop_awaits_it(settings: Settings) -> None:
    answer = await arun_orchestrator("hello", settings=settings, model="echo", priority="batch")
    assert answer["output"] == "hello"


def test_wishes_that_cannot_be_are_named(settings: Settings) -> None:
    for wishes in ({"modle": "echo"}, {"max_tokens": 0}, {"priority": "soon"}, {"stop": {1, 2}}):
        with pytest.raises(InvalidInput) as caught:
            run_orchestrator("hi", settings=settings, **wishes)
        assert caught.value.field in {*wishes, "wishes"}
    with pytest.raises(InvalidInput, match="empty"):
        run_orchestrator("  ", settings=settings)


def test_a_run_that_takes_too_long_goes_on(settings: Settings) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        run_orchestrator("hi", settings=settings, model="echo", timeout_s=0.000_1)
    assert "promptbus run show" in (caught.value.cure or "")


def test_where_none_runs_the_cure_is_named(tmp_path: Path) -> None:
    assert "PROMPTBUS_NATS_URL" not in os.environ
    with pytest.raises(NotReady) as caught:
        run_orchestrator("hi", settings=Settings(data_dir=tmp_path))
    assert "promptbus up" in (caught.value.cure or "")
