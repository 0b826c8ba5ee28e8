"""How a command runs: settings, event loop, and errors that name the cause and the cure."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import typer
from rich.console import Console
from rich.markup import escape

from contracts.errors import InvalidInput, PromptbusError, RemoteError
from promptbus.settings import Settings, load_settings
from promptbus.telemetry import set_up_logging

FAILED = 1
MISUSED = 2
INTERRUPTED = 130

Command = Callable[..., Awaitable[int | None]]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def run_command(command: Command, args: tuple[Any, ...], overrides: dict[str, Any]) -> None:
    """Run an async command with the settings; exits with its code.

    0 done, 1 failed, 2 misused, 130 interrupted.
    """
    try:
        settings = load_settings(**overrides)
        set_up_logging(settings.log_level)
        code = anyio.run(_call, command, settings, args, backend_options=_loop())
    except PromptbusError as exc:
        report(exc)
        raise typer.Exit(MISUSED if isinstance(exc, InvalidInput) else FAILED) from exc
    except KeyboardInterrupt as exc:
        raise typer.Exit(INTERRUPTED) from exc
    except BaseExceptionGroup as group:
        known, rest = group.split(PromptbusError)
        if known is None or rest is not None:
            raise
        report(_first(known))
        raise typer.Exit(FAILED) from group
    raise typer.Exit(code or 0)


def report(error: PromptbusError) -> None:
    """Say what went wrong and what helps, in two lines on stderr."""
    wire = error.to_wire()
    err.print(f"[bold red]error[/] {escape(wire.message)}")
    if wire.cure:
        err.print(f"[dim]  try  [/]{escape(wire.cure)}")


def print_json(value: Any) -> None:
    """One JSON document on stdout, for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def fail(info: Any) -> RemoteError:
    """An error that arrived in its wire form, ready to be raised."""
    return RemoteError(info)


async def _call(command: Command, settings: Settings, args: tuple[Any, ...]) -> int | None:
    return await command(settings, *args)


def _first(group: BaseExceptionGroup[PromptbusError]) -> PromptbusError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, PromptbusError):
        raise error
    return error


def _loop() -> dict[str, Any]:
    return {"use_uvloop": sys.platform != "win32"}
