"""A process that is measured: started, handed batches of jobs, ended."""

import json
import select
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.process_family import ProcessFamily

ROOT = Path(__file__).parent.parent
ANSWER_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 20.0


class ContestantFailed(Exception):
    """A contestant ended or fell silent."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch took: every job's times by name, in milliseconds, and its wall time."""

    num: int
    times_ms: Mapping[str, Sequence[float]]
    wall_s: float

    @property
    def per_s(self) -> float:
        """Jobs per second."""
        return self.num / self.wall_s


class Contestant:
    """``argv`` as a child process that serves batches; see :mod:`benchmarks.batch_server`."""

    def __init__(
        self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._argv = argv
        self._log = log
        self._env = env
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._argv,
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        try:
            self._read()
        except ContestantFailed:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def family(self) -> ProcessFamily:
        """The process and its children."""
        return ProcessFamily({self._running.pid: self.name})

    def do(self, job: str, num: int, in_flight: int = 1) -> Batch:
        """Have ``num`` jobs done.

        Raises: ContestantFailed with the end of its log.
        """
        request = {"job": job, "num": num, "in_flight": in_flight}
        stdin = self._running.stdin
        if stdin is None:
            raise ContestantFailed(f"{self.name} has no stdin")
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        answer = self._read()
        return Batch(num, answer["times_ms"], answer["wall_s"])

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise ContestantFailed(f"{self.name} was not started")
        return self._process

    def _read(self) -> dict[str, Any]:
        stdout = self._running.stdout
        if stdout is None:
            raise ContestantFailed(f"{self.name} has no stdout")
        readable, _, _ = select.select([stdout], [], [], ANSWER_TIMEOUT_S)
        line = stdout.readline() if readable else ""
        if not line:
            said = self._log.read_text(errors="replace")[-2000:]
            raise ContestantFailed(f"{self.name} gave no answer. The end of its log:\n{said}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _stop(self) -> None:
        process = self._running
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
