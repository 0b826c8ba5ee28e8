"""How a command runs: settings, event loop, and errors that name the cause and the cure."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio
import typer
from rich.text import Text

from contracts.errors import InvalidInput, PromptbusError
from promptbus.child_process import CURE_MARK, ERROR_MARK
from promptbus.cli.terminal import one_line, open_console, safe_json, tolerate_narrow_encodings
from promptbus.log_format import set_up_logging
from promptbus.settings import Settings, load_settings

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
TERMINATED = 143

Command = Callable[..., Awaitable[int | None]]

out = open_console(sys.stdout)
err = open_console(sys.stderr, stderr=True)


def run_command(command: Command, args: tuple[Any, ...], overrides: dict[str, Any]) -> None:
    """Run an async command with the settings; exits with its code.

    0 done, 1 failed, 2 misused, 130 interrupted, 143 terminated.
    """
    tolerate_narrow_encodings()
    try:
        settings = load_settings(**overrides)
        set_up_logging(settings.log_level, settings.log_format)
        code = anyio.run(_call, command, settings, args, backend_options=_loop())
    except PromptbusError as exc:
        report(exc)
        raise typer.Exit(_exit_code(exc)) from exc
    except KeyboardInterrupt as exc:
        raise typer.Exit(INTERRUPTED) from exc
    except asyncio.CancelledError as exc:
        raise typer.Exit(TERMINATED) from exc
    except BrokenPipeError as exc:
        _leave_closed_pipe()
        raise typer.Exit(FAILED) from exc
    except BaseExceptionGroup as group:
        known, rest = group.split(PromptbusError)
        if known is None or rest is not None:
            raise
        error = _first(known)
        report(error)
        raise typer.Exit(_exit_code(error)) from group
    raise typer.Exit(code or 0)


def report(error: PromptbusError) -> None:
    """Say what went wrong and what helps, in two lines on stderr."""
    wire = error.to_wire()
    say_on_stderr(Text.assemble((ERROR_MARK, "bold red"), one_line(wire.message)))
    if wire.cure:
        say_on_stderr(Text.assemble((CURE_MARK, "dim"), one_line(wire.cure)))


def say_on_stderr(text: Text | str) -> None:
    """One line on stderr; the terminal wraps it, so that what stands in it can be copied whole."""
    err.print(text, soft_wrap=True, markup=False)


def print_lines(lines: Iterable[Text]) -> None:
    """Lines that were laid out already, on stdout."""
    for line in lines:
        print_line(line)


def print_line(line: Text) -> None:
    """One such line on stdout."""
    out.print(line, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout, for programs."""
    document = json.dumps(value, ensure_ascii=False, default=str)
    sys.stdout.write(safe_json(document) + "\n")
    sys.stdout.flush()


async def _call(command: Command, settings: Settings, args: tuple[Any, ...]) -> int | None:
    task = asyncio.current_task()
    if task is not None:
        # SIGTERM ends a command as Ctrl-C does: by cancellation, so that children end in order.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await command(settings, *args)


def _exit_code(error: PromptbusError) -> int:
    return MISUSED if isinstance(error, InvalidInput) else FAILED


def _leave_closed_pipe() -> None:
    """Keep the interpreter from writing again to a reader that is gone, as `head` is."""
    sys.stdout = None


def _first(group: BaseExceptionGroup[PromptbusError]) -> PromptbusError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, PromptbusError):
        raise error
    return error


def _loop() -> dict[str, Any]:
    return {"use_uvloop": sys.platform != "win32"}
