"""``promptbus run show|list|cancel``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.text import Text

from actors.history import Projection, RunRow
from contracts.errors import RemoteError, RunFinished, UnknownRun
from contracts.event import RunState
from contracts.run_view import RunView
from promptbus.bootstrap import history_url
from promptbus.cli.client import open_client, running
from promptbus.cli.columns import Column, lay_out
from promptbus.cli.run_output import print_steps
from promptbus.cli.shell import (
    FAILED,
    out,
    print_json,
    print_line,
    print_lines,
    report,
    say_on_stderr,
)
from promptbus.cli.terminal import one_line, safe
from promptbus.cli.wait_line import describe
from promptbus.history_feed import HistoryFeed
from promptbus.process import Process
from promptbus.settings import Settings

LAST = "last"
CANCEL_WAIT_S = 30.0


async def show_run(settings: Settings, run_id: str, as_json: bool) -> int:
    """Print one run."""
    async with running(settings) as process:
        chosen = await _resolve(process, run_id)
        async with open_client(process) as client:
            view = await client.view(chosen)
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        _print_view(view)
    return 0


async def list_runs(
    settings: Settings, state: RunState | None, query: str | None, limit: int, as_json: bool
) -> int:
    """Print the newest runs."""
    async with running(settings) as process, _projection(process) as projection:
        rows, _ = await projection.list_runs(state=state, query=query, limit=limit)
    if as_json:
        print_json([row.model_dump(mode="json") for row in rows])
    elif rows:
        print_lines(lay_out(_COLUMNS, [_row(row) for row in rows], out.width))
    elif state or query:
        say_on_stderr("no such runs")
    else:
        say_on_stderr("no runs yet; make one: promptbus ask 'Hello!'")
    return 0


async def cancel_run(settings: Settings, run_id: str, reason: str) -> int:
    """Cancel one run and say how it ended."""
    async with running(settings) as process:
        chosen = await _resolve(process, run_id)
        async with open_client(process) as client:
            try:
                await client.cancel(chosen, reason=reason, requested_by="cli")
            except RunFinished as exc:
                report(exc)
                return FAILED
            view = await client.wait(chosen, timeout_s=CANCEL_WAIT_S)
    out.print(f"run {chosen} is {view.state}")
    return 0


@asynccontextmanager
async def _projection(process: Process) -> AsyncIterator[Projection]:
    """The history's projection, caught up to now."""
    async with Projection.open(history_url(process.settings)) as projection:
        await HistoryFeed(process.connection, process.stored, projection).catch_up()
        yield projection


async def _resolve(process: Process, run_id: str) -> str:
    if run_id != LAST:
        return run_id
    async with _projection(process) as projection:
        rows, _ = await projection.list_runs(limit=1)
    if not rows:
        raise UnknownRun(LAST)
    return rows[0].run_id


def _print_view(view: RunView) -> None:
    lines = [Text.assemble(("> ", "bold cyan"), safe(view.prompt))]
    if view.output is not None:
        lines.append(Text(safe(view.output)))
    if view.title:
        summary = one_line(view.summary or "")
        lines += [Text(), Text.assemble((one_line(view.title), "bold"), ("  " + summary, "dim"))]
    if view.replay_of:
        lines.append(Text(f"tries run {view.replay_of} again", style="dim"))
    if view.standing is not None:
        lines.append(Text(one_line(view.standing), style="yellow"))
    elif view.waiting is not None:
        lines.append(Text(describe(view.waiting), style="yellow"))
    if view.stage is not None:
        lines.append(Text(f"{view.state} while {one_line(view.stage)}", style="dim"))
    print_lines(lines)
    print_steps(view, print_line, out.width)
    if view.error is not None:
        report(RemoteError(view.error))


_COLUMNS = (
    Column("run"),
    Column("started", hide=3),
    Column("state"),
    Column("model", hide=2),
    Column("score", hide=4, right=True),
    Column("title", hide=1, min_width=8),
)


def _row(row: RunRow) -> tuple[Text | str, ...]:
    return (
        row.run_id,
        f"{row.started_at.astimezone():%m-%d %H:%M:%S}" if row.started_at else "",
        Text(row.state, style=_STYLES.get(row.state, "")),
        row.selected_model or "",
        "" if row.score is None else str(row.score),
        one_line(row.title or row.prompt or ""),
    )


_STYLES = {"answered": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}
