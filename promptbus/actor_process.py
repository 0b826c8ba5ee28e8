"""An actor as a child process: torch never blocks the others, and two cores do two things."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from contracts.actor_kind import ActorKind
from contracts.errors import NotReady
from promptbus.child_process import CURE_MARK, ERROR_MARK, spawn, stop
from promptbus.settings import Settings

RESTART_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
# A child that lived this long was well; its next fall starts the pauses anew.
WELL_S = 60.0
# How a command ends that said in its last lines what is wrong.
_EXPLAINED = (1, 2)


def log_of(settings: Settings, kind: ActorKind) -> Path:
    """Where that actor's process writes what it has to say."""
    return settings.data_dir / f"{kind}.log"


class ActorProcess:
    """Starts one kind of actor, tells when it fell, and starts it again."""

    def __init__(self, settings: Settings, kind: ActorKind) -> None:
        self.kind = kind
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._num_starts = 0
        self._num_falls = 0
        self.log: Path = log_of(settings, kind)

    def start(self) -> None:
        """Start the child; its settings travel in the environment, never in argv."""
        argv = [sys.executable, "-m", "promptbus", "actor", str(self.kind)]
        # What the fallen one said last must outlive its successor's start.
        with self.log.open("ab" if self._num_starts else "wb") as log:
            self._process = spawn(argv, env=self._settings.environment(), log=log)
        self._started_s = time.monotonic()
        self._num_starts += 1

    @property
    def has_ended(self) -> bool:
        """Whether the child is gone though nobody stopped it."""
        return self._process is not None and self._process.poll() is not None

    def check_first_start(self) -> None:
        """Tell a child that cannot start from one that fell: starting it again would not help.

        Raises: NotReady with what it said last.
        """
        code = self._process.poll() if self._process is not None else None
        if self._num_starts == 1 and code in _EXPLAINED and not self._was_well:
            reason, cure = self._last_words()
            raise NotReady(
                f"the {self.kind} does not start: {reason}",
                cure=cure or f"read its log: {self.log}",
            )

    def next_pause_s(self) -> float:
        """How long to wait before it is started again."""
        if self._was_well:
            self._num_falls = 0
        pause_s = RESTART_PAUSES_S[min(self._num_falls, len(RESTART_PAUSES_S) - 1)]
        self._num_falls += 1
        return pause_s

    def how_it_ended(self) -> str:
        """The signal or exit code it ended with."""
        code = self._process.poll() if self._process is not None else None
        if code is None:
            return "it is running"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """End the child in order."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    @property
    def _was_well(self) -> bool:
        return time.monotonic() - self._started_s > WELL_S

    def _last_words(self) -> tuple[str, str]:
        """What it said is wrong, and the cure it named; the end of a traceback where it did not."""
        lines = self.log.read_text(errors="replace").splitlines()
        reasons = [line for line in lines if line.startswith(ERROR_MARK)]
        if not reasons:
            # The last line of a group of exceptions is a frame of dashes.
            said = [line.strip("|+- ") for line in lines if line.strip("|+- ")]
            return (said[-1] if said else self.how_it_ended()), ""
        cures = [line for line in lines[lines.index(reasons[-1]) :] if line.startswith(CURE_MARK)]
        return (
            reasons[-1].removeprefix(ERROR_MARK),
            cures[0].removeprefix(CURE_MARK) if cures else "",
        )
