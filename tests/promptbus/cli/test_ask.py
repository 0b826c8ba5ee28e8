"""``promptbus ask``: the answer on stdout and nothing else there; errors with name and reason."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from contracts.prompt import MAX_PROMPT_BYTES
from tests.promptbus.commands import child, environment, promptbus, promptbus_each, started, until
from tests.promptbus.conftest import QUICK, System

ACTORS = ("analyzer", "history", "monitor", "executor", "validator", "summarizer")


def test_the_answer_alone_is_on_stdout_and_the_way_on_stderr(system: System) -> None:
    done = system.run("ask", "¿Qué tal, мир? 🙂", "-m", "echo")
    assert done.code == 0
    assert done.out.splitlines()[0] == "¿Qué tal, мир? 🙂"
    assert "✓" not in done.out
    for actor in set(ACTORS) - {"monitor"}:
        assert f"✓ {actor}" in done.err
    assert "answered" in done.err


def test_the_run_is_told_as_json(system: System) -> None:
    done = system.run("ask", "one two", "-m", "echo", "--json")
    view = done.json()
    assert (view["state"], view["output"], view["prompt"]) == ("answered", "one two", "one two")
    assert done.err == ""


def test_a_prompt_comes_from_stdin(system: System) -> None:
    text = "line one\n\tline two " + "words " * 20_000
    done = system.run("ask", "-", "-m", "echo", "--json", stdin=text.encode() + b"\n")
    assert done.json()["prompt"] == text


def test_wishes_reach_the_model(system: System) -> None:
    wishes = ("--max-tokens", "2", "--strategy", "streaming", "--priority", "batch", "--seed", "1")
    view = system.run("ask", "a b c d", "-m", "echo", "--json", *wishes).json()
    assert view["execution_metrics"]["strategy"] == "streaming"
    assert view["flow"]["nodes"]


def test_no_answer_moves_the_cursor(system: System) -> None:
    # The C1 control that begins an escape sequence may stand in a prompt, but not on the screen.
    ask = "ask 'red \u009b31m text' -m echo"
    done, shown, as_json = system.each(ask, "run show", f"{ask} --json")
    assert done.out == "red \ufffd31m text\n"
    assert "\u009b" not in shown.out
    assert "\u009b" not in as_json.out
    assert as_json.json()["output"] == "red \u009b31m text"


REFUSED = [
    (("",), "prompt: is empty"),
    ((" \n\t ",), "prompt: is empty"),
    (("bell \a",), "prompt: control character U+0007 at position 5"),
    (("escape \x1b[31m",), "prompt: control character U+001B"),
    ((b"a\xffb".decode(errors="surrogateescape"),), "prompt: is not UTF-8 text: byte 1"),
    (("hi", "--max-tokens", "-1"), "max_tokens: Input should be greater"),
    (("hi", "--temperature", "nan"), "temperature: Input should be a finite"),
    (("hi", "--temperature", "2.5"), "temperature: Input should be less"),
    (("hi", "--seed", "-1"), "seed: Input should be greater"),
    (("hi", "--deadline-s", "0"), "deadline_s: Input should be greater"),
    (("hi", "--priority", "urgent"), "priority: Input should be 'interactive'"),
    (("hi", "--session", ""), "session_id: String should have"),
    (("hi", "--model", ""), "model: String should have"),
    (("hi", "--nats-url", "nats://me:secret@host"), "--nats-url: must not hold a log-in"),
]


def test_a_bad_wish_is_refused_by_name_before_anything_starts(tmp_path: Path) -> None:
    env = environment(PROMPTBUS_DATA_DIR=str(tmp_path / "none"))
    each = promptbus_each([["ask", *arguments] for arguments, _ in REFUSED], env=env)
    for (_, told), done in zip(REFUSED, each, strict=True):
        assert done.err.startswith(f"error {told}")
        assert (done.code, done.out) == (2, "")
        assert "secret" not in done.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("stdin", "told"),
    [
        (b"x" * 2_000_000, f"prompt: is longer than {MAX_PROMPT_BYTES} bytes"),
        (b"good \xff bad", "prompt: is not UTF-8 text: byte 5 is 0xff"),
    ],
)
def test_a_bad_prompt_from_stdin_is_refused(stdin: bytes, told: str) -> None:
    done = promptbus("ask", "-", stdin=stdin)
    assert done.code == 2
    assert done.err.startswith(f"error {told}")


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (("-m", "gpt-9"), "error model: unknown model 'gpt-9'"),
        (("-m", "echo", "--strategy", "warp"), "error strategy: unknown strategy 'warp'"),
    ],
)
def test_what_no_executor_serves_fails_the_run_with_the_alternatives(
    system: System, wish: tuple[str, ...], told: str
) -> None:
    done = system.run("ask", "hi", *wish)
    assert done.code == 1
    assert told in done.err
    assert " help choose one of: " in done.err
    assert done.out == ""


def test_a_deadline_fails_the_run(system: System) -> None:
    with _stopped(_executor(system)):
        done = system.run("ask", "hi", "-m", "echo", "--deadline-s", "0.5", "--json")
    assert done.code == 1
    view = done.json()
    assert (view["state"], view["error"]["code"]) == ("failed", "deadline_exceeded")


def test_ctrl_c_cancels_the_run_and_ends_with_130(system: System, tmp_path: Path) -> None:
    log = tmp_path / "ask.log"
    with (
        _stopped(_executor(system)),
        started("ask", "never mind", "-m", "echo", log=log, env=system.env) as asking,
    ):
        until(lambda: _runs(system, "running"), log=log)
        asking.send_signal(signal.SIGINT)
        assert asking.wait(60) == 130
    assert "cancelling" in log.read_text()
    assert _runs(system, "cancelled")[0]["prompt"] == "never mind"


def test_without_a_running_promptbus_one_is_started_for_the_question(tmp_path: Path) -> None:
    env = environment(PROMPTBUS_DATA_DIR=str(tmp_path / "data"), **QUICK)
    done = promptbus("ask", "anybody?", "-m", "echo", env=env)
    assert (done.code, done.out) == (0, "anybody?\n")
    left = [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(one.info)]
    assert left == []


def _runs(system: System, state: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = system.run("run", "list", "--state", state, "--json").json()
    return found


def _executor(system: System) -> psutil.Process:
    found = child(system.process.pid, "actor", "executor")
    assert found is not None
    return found


@contextmanager
def _stopped(process: psutil.Process) -> Iterator[None]:
    """The process does not get on while the context lasts."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()
