"""``promptbus run show|list|cancel``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.table import Table
from rich.text import Text

from actors.history import Projection, RunRow
from contracts.errors import RunFinished, UnknownRun
from contracts.event import RunState
from contracts.run_view import RunView
from promptbus.bootstrap import history_url
from promptbus.cli.client import open_client, running
from promptbus.cli.run_output import print_steps, safe
from promptbus.cli.shell import FAILED, err, fail, out, print_json, report
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
        out.print(_table(rows))
    else:
        err.print("[dim]no runs yet; make one: promptbus ask 'Hello!'[/]")
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
    out.print(Text.assemble(("> ", "bold cyan"), safe(view.prompt)))
    if view.output is not None:
        out.print(Text(safe(view.output)))
    if view.title:
        out.print(
            Text.assemble(
                (f"\n{safe(view.title)}", "bold"), ("  " + safe(view.summary or ""), "dim")
            )
        )
    print_steps(view)
    if view.error is not None:
        report(fail(view.error))


def _table(rows: list[RunRow]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("run", "started", "state", "model", "score", "title"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(
            row.run_id,
            f"{row.started_at:%m-%d %H:%M:%S}" if row.started_at else "",
            Text(row.state, style=_STYLES.get(row.state, "")),
            row.selected_model or "",
            "" if row.score is None else str(row.score),
            Text(safe(row.title or row.prompt or "")),
        )
    return table


_STYLES = {"answered": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}
