"""``promptbus doctor``: each part this machine needs, whether it is well, and the cure."""

from rich.table import Table
from rich.text import Text

from promptbus.check import Check
from promptbus.checks import check_all
from promptbus.cli.shell import FAILED, out, print_json
from promptbus.cli.terminal import one_line
from promptbus.running import running
from promptbus.settings import Settings
from promptbus.trace_checks import check_traces

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "bold red")}


async def run_doctor(settings: Settings, part: str | None, as_json: bool) -> int:
    """Check everything, or ``traces`` alone; 1 when something is broken."""
    checks = await check_all(settings) if part is None else await _check_traces(settings)
    if as_json:
        print_json([check.model_dump() for check in checks])
    else:
        out.print(_table(checks))
    return FAILED if any(check.state == "broken" for check in checks) else 0


async def _check_traces(settings: Settings) -> list[Check]:
    async with running(settings) as process:
        return await check_traces(process)


def _table(checks: list[Check]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # Paths are longer than lines, and are wanted whole.
    for check in checks:
        sign, style = _MARKS[check.state]
        table.add_row(
            Text(sign, style=style), Text(check.name, style="bold"), Text(one_line(check.found))
        )
        if check.cure and check.state != "ok":
            table.add_row("", "", Text.assemble(("help ", "dim"), one_line(check.cure)))
    return table
