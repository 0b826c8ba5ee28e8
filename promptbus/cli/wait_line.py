"""One line that tells why a run waits, for as long as it does."""

import time

from rich.status import Status
from rich.text import Text

from contracts.waiting import WaitNote
from promptbus.cli.shell import err, say_on_stderr
from promptbus.cli.terminal import one_line

# Where lines stay, only a wait worth telling is told, and not at every note.
TELL_AFTER_S = 2.0
TELL_EVERY_S = 5.0


def describe(note: WaitNote) -> str:
    """``waiting 12 s: loading qwen3-4b, 41 %; about 8 s more``."""
    parts = [f"waiting {note.waited_s:.0f} s: {one_line(note.message)}"]
    if note.estimate_s is not None:
        parts.append(f"about {note.estimate_s:.0f} s more")
    return "; ".join(parts)


class WaitLine:
    """On a terminal a live line on stderr, which :meth:`clear` takes away; else plain lines."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._told_s = float("-inf")

    def show(self, note: WaitNote) -> None:
        """Tell what the run waits for now."""
        text = describe(note)
        if err.is_terminal:
            self._show_live(Text(text))
        elif note.waited_s > TELL_AFTER_S and time.monotonic() - self._told_s >= TELL_EVERY_S:
            self._told_s = time.monotonic()
            say_on_stderr(text)

    def clear(self) -> None:
        """The wait is over."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _show_live(self, text: Text) -> None:
        if self._status is None:
            self._status = Status(text, console=err)
            self._status.start()
        else:
            self._status.update(text)
