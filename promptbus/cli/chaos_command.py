"""The command ``promptbus chaos`` and its help."""

from pathlib import Path
from typing import Annotated

import typer

from promptbus.cli.options import Json, run


def chaos(
    runs: Annotated[int, typer.Option(min=1, help="Prompts to submit.")] = 300,
    faults: Annotated[int, typer.Option(min=0, help="Faults meanwhile.")] = 35,
    seed: Annotated[int | None, typer.Option(help="Decides the faults. Default: random.")] = None,
    nodes: Annotated[int, typer.Option(min=1, max=3, help="NATS servers, 1 or 3.")] = 3,
    keep: Annotated[
        Path | None, typer.Option(help="Keep all logs and streams in this new folder.")
    ] = None,
    control: Annotated[
        bool,
        typer.Option(
            "--control",
            help="Let every writer win instead of the first: this must fail.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Break a system of its own and check that nothing was lost or done twice.

    Starts NATS, two coordinators, two executors, two processes of the other actors and the API,
    submits prompts over HTTP and over the bus, and meanwhile kills (kill -9), freezes (longer than
    any lease lasts) and restarts all of them, servers included. Then it compares what clients were
    told with what stands in the journals: every accepted prompt has exactly one outcome. Nothing of
    yours is touched: it runs in a folder and on ports of its own, without a model.

    Exit code 0: every promise was kept. 1: one was broken; the seed that shows it again is printed.

    promptbus chaos                                    # a minute and a half

    promptbus chaos --runs 10000 --faults 1000         # half an hour
    """
    from promptbus.chaos.plan import ChaosPlan
    from promptbus.cli.chaos import run_chaos

    if nodes == 2:  # noqa: PLR2004 - two servers have no majority when one is down
        raise typer.BadParameter(
            "must be 1 or 3: of two servers none may fall", param_hint="--nodes"
        )
    plan = ChaosPlan(runs, faults, seed or 0, nodes, control)
    run(run_chaos, plan, seed, keep, as_json)
