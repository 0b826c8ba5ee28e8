"""One promptbus per data folder, however the one before it ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import NotReady
from promptbus.data_folder_lock import lock_data_folder
from tests.promptbus.commands import environment

_HOLD = """
import sys, time
from pathlib import Path
from promptbus.data_folder_lock import lock_data_folder
with lock_data_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], env=environment(), stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(NotReady) as caught, lock_data_folder(tmp_path):
            pass
        assert f"process {holder.pid}" in str(caught.value)
        assert "--data-dir" in str(caught.value.cure)
        holder.kill()
    with lock_data_folder(tmp_path):
        pass


def test_a_folder_that_is_missing_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "where"
    for _ in range(2):
        with lock_data_folder(folder):
            assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_is_refused_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/promptbus")):
        with pytest.raises(NotReady, match="cannot be used") as caught, lock_data_folder(folder):
            pass
        assert "--data-dir" in str(caught.value.cure)
