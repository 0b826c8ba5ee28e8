"""One promptbus for all tests that only use one."""

import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from promptbus.endpoint import Endpoint, read_endpoint
from tests.promptbus.commands import (
    Done,
    environment,
    promptbus,
    promptbus_each,
    started,
    until,
    until_said,
)

# Nothing to load: the system is up in a second, and the way of a run is the same.
QUICK = {"PROMPTBUS_DEFAULT_MODEL": "echo", "PROMPTBUS_PRELOAD": ""}


@dataclass(frozen=True)
class System:
    """A running ``promptbus up`` and how commands reach it."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path
    env: Mapping[str, str]

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        endpoint = read_endpoint(self.data_dir)
        assert endpoint is not None
        return endpoint

    def run(self, *arguments: str, stdin: bytes = b"", **variables: str) -> Done:
        """Run a command against it, to its end."""
        return promptbus(*arguments, env=self.env, stdin=stdin, **variables)

    def each(self, *commands: str, **variables: str) -> list[Done]:
        """Run several commands against it, given as lines of words."""
        split = [shlex.split(command) for command in commands]
        return promptbus_each(split, env={**self.env, **variables})


def start_system(folder: Path) -> Iterator[System]:
    """Start one in ``folder``, and end it afterwards."""
    data_dir, log = folder / "data", folder / "up.log"
    env = environment(PROMPTBUS_DATA_DIR=str(data_dir), **QUICK)
    with started("up", "--port", "0", log=log, env=env) as process:
        until_said("Ctrl-C", log)
        until(lambda: read_endpoint(data_dir), log=log)
        yield System(process, data_dir, log, env)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system that tests share; none of them may break it."""
    yield from start_system(tmp_path_factory.mktemp("system"))
