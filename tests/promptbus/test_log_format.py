"""Logs for machines: one object a line, naming run and trace, and nobody's text."""

import json
import logging
from pathlib import Path

from contracts.run_context import current_run_id, working_for
from contracts.run_id import new_run_id
from promptbus.log_format import JsonFormatter
from tests.promptbus.commands import environment, promptbus, started, until, until_said
from tests.promptbus.conftest import QUICK

TEXT = "the lighthouse keeper's parrot"


def line_of(record: logging.LogRecord) -> dict[str, object]:
    """What the formatter makes of it."""
    text = JsonFormatter().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def record(*, failed: bool = False) -> logging.LogRecord:
    """A line, with a foreign exception that quotes the prompt or without."""
    if not failed:
        return logging.makeLogRecord({"msg": "took %d ms", "args": (5,), "levelname": "INFO"})
    try:
        raise ValueError(f"cannot parse {TEXT!r}")
    except ValueError as exc:
        info = (type(exc), exc, exc.__traceback__)
        return logging.makeLogRecord({"msg": "failed", "exc_info": info})


def test_a_line_names_the_run_it_is_about() -> None:
    run_id = new_run_id()
    with working_for(run_id):
        line = line_of(record())
    assert (line["message"], line["level"]) == ("took 5 ms", "INFO")
    assert (line["run_id"], line["trace_id"]) == (run_id, run_id)
    assert current_run_id() is None
    assert "run_id" not in line_of(record())


def test_an_exception_is_told_without_its_words() -> None:
    line = line_of(record(failed=True))
    assert line["exception"] == "ValueError"
    assert "test_log_format.py" in str(line["stack"])
    assert TEXT not in json.dumps(line)


def test_a_whole_system_logs_json_without_any_text(tmp_path: Path) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "up.log"
    env = environment(
        PROMPTBUS_DATA_DIR=str(data_dir),
        PROMPTBUS_LOG_FORMAT="json",
        PROMPTBUS_LOG_LEVEL="INFO",
        **QUICK,
    )
    with started("up", "--port", "0", log=log, env=env):
        until_said("Ctrl-C", log)
        done = promptbus("ask", "-m", "echo", "--json", TEXT, env=env)
        assert done.code == 0, done.err
        run_id = done.json()["run_id"]
        logs = [log, *data_dir.glob("*.log")]
        until(lambda: any(run_id in file.read_text() for file in logs))
    lines = [
        json.loads(line)
        for file in logs
        for line in file.read_text().splitlines()
        if line.startswith("{")
    ]
    about = [line for line in lines if line.get("run_id") == run_id]
    assert any(str(line["message"]).startswith("begins analyzer/1") for line in about)
    assert all(TEXT not in file.read_text() for file in logs)
