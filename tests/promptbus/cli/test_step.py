"""``promptbus step``: each actor alone, by hand, a line for a line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.promptbus.commands import Done, environment, promptbus, promptbus_each

GOOD = {
    "analyzer": ({"prompt": "Translate dog to Spanish"}, "PromptAnalyzed"),
    "history": ({"session_id": "mine"}, "HistoryRecalled"),
    "monitor": ({"task_type": "chat", "model": "echo"}, "ResourcesDecided"),
    "executor": ({"prompt": "hello there", "model": "echo"}, "AnswerGenerated"),
    "validator": ({"prompt": "2+2?", "output": "4"}, "OutputValidated"),
    "summarizer": ({"prompt": "2+2?", "output": "4"}, "RunSummarized"),
}
LINES = (
    b"not json",
    b"[1, 2]",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"attempt": "many"}',
    b'{"run_id": 7}',
)
CODES = ("invalid_json",) * 4 + ("invalid_input",) * 2


@pytest.mark.parametrize("actor", GOOD)
def test_an_actor_answers_every_line_in_order(actor: str, tmp_path: Path) -> None:
    fields, event = GOOD[actor]
    good = json.dumps(fields).encode()
    done = step(actor, tmp_path, good, b"", *LINES, good)
    assert done.code == 1
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["type"] for answer in answers] == [event, *["Error"] * len(LINES), event]
    assert [answer["error"]["code"] for answer in answers[1:-1]] == list(CODES)
    assert [answer["error"].get("field") for answer in answers[-3:-1]] == ["attempt", "run_id"]
    assert answers[0]["run_id"] != answers[-1]["run_id"]


def test_what_was_given_is_kept_and_content_is_enough(tmp_path: Path) -> None:
    run_id = "0190a5c2e0d77c3a8b1f4e6d2a9c0b11"
    answer = event(step("executor", tmp_path, task(run_id=run_id, attempt=3, model="echo")))
    assert (answer["run_id"], answer["attempt"]) == (run_id, 3)
    assert answer["result"]["output"] == "hi"


def test_all_lines_well_ends_with_0(tmp_path: Path) -> None:
    assert step("analyzer", tmp_path, task(), task()).code == 0
    assert step("analyzer", tmp_path).code == 0


def test_a_generation_that_cannot_be_names_the_field(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {
        "strategy": "warp",
        "max_tokens": -1,
        "prompt": "bell \a",
        "temperature": "warm",
        "model": "gpt-9",
    }
    lines = [task(**{"model": "echo", field: value}) for field, value in wrong.items()]
    done = step("executor", tmp_path, *lines)
    assert done.code == 1
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["error"]["field"] for answer in answers] == list(wrong)
    assert step("executor", tmp_path, lines[0]).code == 1


def test_an_answer_reaches_no_terminal_as_a_command(tmp_path: Path) -> None:
    done = step("executor", tmp_path, task(model="echo", prompt="a \u009b31m b"))
    assert "\u009b" not in done.out
    assert event(done)["result"]["output"] == "a \u009b31m b"


def test_a_kind_that_is_none_is_misuse() -> None:
    for done in promptbus_each([["step", kind] for kind in ("coordinator", "", "x" * 1000)]):
        assert done.code == 2
        assert done.err.startswith("error actor: there is no ")
        assert " help choose one of: analyzer, history, " in done.err
        assert len(done.err) < 300


def step(actor: str, folder: Path, *lines: bytes) -> Done:
    """Run one actor on these lines."""
    env = environment(PROMPTBUS_DATA_DIR=str(folder / "data"))
    return promptbus("step", actor, env=env, stdin=b"".join(line + b"\n" for line in lines))


def task(**fields: Any) -> bytes:
    """A line that asks something."""
    return json.dumps({"prompt": "hi", **fields}).encode()


def event(done: Done) -> dict[str, Any]:
    """The only answer."""
    (line,) = done.out.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer
