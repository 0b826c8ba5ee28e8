"""Options that many commands have, and how a command is run."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder for streams and history. Default: ~/.local/share/promptbus."),
]
NatsUrl = Annotated[
    str | None,
    typer.Option(
        help="Use this NATS server; log-in comes from PROMPTBUS_NATS_USER and _PASSWORD, "
        "_CREDS or _NKEY_SEED."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def run(command: object, *args: object, **settings: object) -> None:
    """Run an async command; nothing but help is imported before."""
    from promptbus.cli.shell import run_command

    run_command(command, args, settings)  # type: ignore[arg-type]
