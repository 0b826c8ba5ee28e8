"""What actors say when they begin work is what the checker reads."""

from pathlib import Path

from actors.task_server import BEGINS
from promptbus.chaos.work_log import read_work_log
from tests.promptbus.commands import python

_SAY = """
import logging
from promptbus.log_format import set_up_logging

set_up_logging("INFO")
logging.getLogger("actors.task_server").info(*{arguments!r})
"""


def test_a_beginning_is_read_as_it_was_said(tmp_path: Path) -> None:
    arguments = (BEGINS, "executor/2", "ab" * 16, 3, 1, "promptbus/c/host-1")
    log = tmp_path / "log"
    log.write_text("noise\n" + python("-c", _SAY.format(arguments=arguments)).err + "more\n")
    (found,) = read_work_log("executor-1", log)
    assert (found.member, found.run_id, found.step) == ("executor-1", "ab" * 16, "executor/2")
    assert (found.delivery, found.ask, found.asker) == (3, 1, "promptbus/c/host-1")
    assert found.at_s > 0
