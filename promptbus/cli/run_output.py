"""A run in the terminal: the answer as it comes, then one line per actor."""

from collections.abc import Callable

from rich.text import Text

from bus.prompt_client import RunItem, Token
from contracts.actor_kind import ActorKind
from contracts.event import AnswerGenerated, RunAnswered, StepFailed
from contracts.flow import FlowNode
from contracts.run_view import RunView
from contracts.waiting import WaitReport
from promptbus.cli.columns import Column, lay_out
from promptbus.cli.shell import out, say_on_stderr
from promptbus.cli.terminal import one_line, safe
from promptbus.cli.wait_line import WaitLine

SHORT_ID = 8


class AnswerPrinter:
    """Prints what a run says as it says it; a new attempt starts on a line of its own.

    What was printed cannot be taken back: with ``at_once`` False, for whoever reads in a pipe, the
    answer is printed when it is the one that the run has.
    """

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once
        self._attempt = 0
        self._printed = ""
        self._wait_line = WaitLine()

    def clear(self) -> None:
        """Take away what is on the screen only for now."""
        self._wait_line.clear()

    def show(self, item: RunItem) -> None:
        """Print what of ``item`` belongs on the screen."""
        if isinstance(item, WaitReport):
            self._wait_line.show(item)
            return
        self.clear()
        if isinstance(item, Token):
            self._begin(item.attempt)
            if item.delta.offset < len(self._printed):
                self._take_back(item.delta.offset)
            self._write(item.delta.text)
            return
        event = item.event
        if isinstance(event, AnswerGenerated):
            # Text that was lost on its way stands in the event; print what is missing.
            self._begin(event.attempt)
            self._write(event.result.output[len(self._printed) :])
        elif isinstance(event, StepFailed) and event.actor is ActorKind.EXECUTOR:
            say_on_stderr(f"attempt {event.attempt}: {one_line(event.error.message)}")
        elif isinstance(event, RunAnswered):
            self._finish(event.output)

    def _finish(self, answer: str) -> None:
        if not self._at_once:
            out.file.write(safe(answer))
        elif answer != self._printed:
            say_on_stderr("\nan earlier attempt was better")
            self._write(answer)
        out.file.write("\n")
        out.file.flush()

    def _begin(self, attempt: int) -> None:
        if attempt <= self._attempt:
            return
        if self._attempt:
            if self._at_once:
                out.file.write("\n")
            say_on_stderr(f"the validator sent it back; attempt {attempt}")
        self._attempt, self._printed = attempt, ""

    def _take_back(self, num_kept: int) -> None:
        """Begin the answer anew, of which only the first characters still hold."""
        kept, self._printed = self._printed[:num_kept], ""
        if self._at_once:
            say_on_stderr("\nanother executor began anew")
        self._write(kept)

    def _write(self, text: str) -> None:
        self._printed += text
        if self._at_once:
            out.file.write(safe(text))
            out.file.flush()


def print_steps(view: RunView, write: Callable[[Text], None], width: int) -> None:
    """One line per step: the actor, how long it worked, and what it found or did."""
    rows: list[tuple[Text | str, ...]] = [
        (_name(node), f"{node.duration_ms:,.1f} ms", Text(one_line(node.detail), style="dim"))
        for node in view.flow.nodes
        if node.is_visited
    ]
    total = f"{view.total_time_ms:,.1f} ms" if view.total_time_ms is not None else ""
    state = Text(f"  {view.state}", style=_STYLES.get(view.state, ""))
    run = Text(f"run {view.run_id}", style="dim")
    lines = lay_out(_COLUMNS, [*rows, (state, total, run)], width, heading=False)
    if view.run_id not in lines[-1].plain:
        # Where it would be cut it gets a line of its own, for it is there to be copied.
        lines = [*lay_out(_COLUMNS, [*rows, (state, total, "")], width, heading=False), run]
    for line in [Text(), *lines]:
        write(line)


_COLUMNS = (Column(), Column(right=True), Column(min_width=12))


def _name(node: FlowNode) -> Text:
    mark, style = _MARKS.get(node.state, ("✓ ", "green"))
    name = node.actor if node.attempt == 1 else f"{node.actor} {node.attempt}"
    return Text.assemble((mark, style), (name, "bold"))


_MARKS = {"failed": ("✗ ", "red"), "cancelled": ("✗ ", "yellow"), "running": ("… ", "yellow")}
_STYLES = {"answered": "green", "failed": "bold red", "cancelled": "yellow"}
