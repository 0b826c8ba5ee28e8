"""``promptbus chaos``: break a system of its own, and check that no promise was."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from promptbus.chaos.plan import ChaosPlan
from promptbus.chaos.report import as_document, as_lines
from promptbus.chaos.suite import ChaosSuite
from promptbus.cli.shell import FAILED, err, print_json, print_lines, say_on_stderr
from promptbus.settings import Settings

LOOK_EVERY_S = 0.5
MAX_SEED = 1_000_000


async def run_chaos(
    settings: Settings, plan: ChaosPlan, seed: int | None, keep: Path | None, as_json: bool
) -> int:
    """Run the plan and report; 1 when a promise was broken."""
    plan = replace(plan, seed=secrets.randbelow(MAX_SEED) if seed is None else seed)
    with _folder(keep) as folder:
        suite = ChaosSuite(plan, folder, settings.nats_server)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_show, suite)
                result = await suite.run()
                tasks.cancel_scope.cancel()
        except BaseException:
            say_on_stderr(_again(plan))
            raise
    if as_json:
        print_json(as_document(result))
    else:
        print_lines(as_lines(result))
    if result.violations:
        say_on_stderr(_again(plan))
        return FAILED
    return 0


def _again(plan: ChaosPlan) -> str:
    control = " --control" if plan.control else ""
    return (
        f"the same faults again: promptbus chaos --runs {plan.num_runs} --faults {plan.num_faults}"
        f" --nodes {plan.num_nodes} --seed {plan.seed}{control}"
    )


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=False, mode=0o700)
        yield keep.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="promptbus-chaos-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _show(suite: ChaosSuite) -> None:
    """Progress on stderr until cancelled."""
    plan, now = suite.plan, suite.progress
    columns = (TextColumn("{task.description:>20}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as bars:
        submitted = bars.add_task("submitted", total=plan.num_runs)
        faults = bars.add_task("faults", total=plan.num_faults)
        outcomes = bars.add_task("outcomes", total=plan.num_runs)
        while True:
            bars.update(submitted, completed=now.num_submitted, description=now.doing)
            bars.update(faults, completed=now.num_faults)
            bars.update(outcomes, completed=now.num_outcomes)
            await anyio.sleep(LOOK_EVERY_S)
