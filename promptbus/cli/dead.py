"""``promptbus dead list|show|edit|replay|drop``."""

import os
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from rich.text import Text

from bus.dead_letters import DeadLetters
from contracts.dead_letter import LetterState, LetterView
from contracts.errors import InvalidInput, RemoteError
from contracts.prompt import MAX_PROMPT_BYTES
from promptbus.cli.client import running
from promptbus.cli.columns import Column, lay_out
from promptbus.cli.shell import out, print_json, print_lines, report, say_on_stderr
from promptbus.cli.terminal import one_line, safe
from promptbus.settings import Settings

STDIN = "-"
# A task quotes its prompt, and JSON may double it.
MAX_PAYLOAD_BYTES = 2 * MAX_PROMPT_BYTES + 64 * 1024


async def list_letters(
    settings: Settings, state: LetterState | None, limit: int, as_json: bool
) -> int:
    """Print the newest letters."""
    async with _letters(settings) as letters:
        found = await letters.page(state=state, limit=limit)
    if as_json:
        print_json([letter.model_dump(mode="json") for letter in found])
    elif found:
        print_lines(lay_out(_COLUMNS, [_row(letter) for letter in found], out.width))
    else:
        say_on_stderr(f"no dead letters that are {state}" if state else "no dead letters")
    return 0


async def show_letter(settings: Settings, letter_id: str, as_json: bool) -> int:
    """Print one letter, and what a replay would send."""
    async with _letters(settings) as letters:
        _print(await letters.find(letter_id), as_json)
    return 0


async def edit_letter(
    settings: Settings, letter_id: str, payload: str | None, as_json: bool
) -> int:
    """Replace the payload: given, from stdin, or by the person's editor."""
    async with _letters(settings) as letters:
        before = await letters.find(letter_id)
        shown = before.replay_sends.payload if before.replay_sends else before.payload
        _print(await letters.edit(letter_id, await _edited(payload, shown)), as_json)
    return 0


async def replay_letter(settings: Settings, letter_id: str, as_json: bool) -> int:
    """Put the message back; print which run that leads to."""
    async with _letters(settings) as letters:
        view = await letters.replay(letter_id)
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        out.print(f"letter {letter_id} is replayed as run {view.replayed_as}")
    return 0


async def drop_letter(settings: Settings, letter_id: str, reason: str, as_json: bool) -> int:
    """Mark a letter as dropped."""
    async with _letters(settings) as letters:
        view = await letters.drop(letter_id, reason)
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        out.print(f"letter {letter_id} is dropped")
    return 0


@asynccontextmanager
async def _letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    async with running(settings) as process:
        yield DeadLetters(process.connection, process.publisher, process.journal)


async def _edited(payload: str | None, shown: str) -> str:
    if payload is None:
        return await anyio.to_thread.run_sync(_edit_in_editor, shown)
    if payload != STDIN:
        return payload
    data: bytes = await anyio.to_thread.run_sync(sys.stdin.buffer.read, MAX_PAYLOAD_BYTES + 1)
    if len(data) > MAX_PAYLOAD_BYTES:
        reason = f"is longer than {MAX_PAYLOAD_BYTES} bytes"
        raise InvalidInput(field="payload", reason=reason, limit=MAX_PAYLOAD_BYTES)
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise InvalidInput(field="payload", reason="is not UTF-8 text") from exc


def _edit_in_editor(shown: str) -> str:
    """What the person made of ``shown`` in ``$VISUAL`` or ``$EDITOR``.

    Raises: InvalidInput where there is no editor or it failed.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    if not command:
        raise InvalidInput(
            field="payload",
            reason="no editor is set",
            cure="set EDITOR, or give the payload: --payload '{…}', or --payload - for stdin",
        )
    with tempfile.TemporaryDirectory(prefix="promptbus-") as folder:
        file = Path(folder) / "letter.json"
        file.write_text(shown, encoding="utf-8")
        code = os.spawnvp(os.P_WAIT, command[0], [*command, str(file)])  # noqa: S606 - the person's editor
        if code != 0:
            raise InvalidInput(field="payload", reason=f"the editor ended with {code}")
        return file.read_text(encoding="utf-8")


def _print(view: LetterView, as_json: bool) -> None:
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    lines = [
        Text.assemble((f"letter {view.letter_id}", "bold"), "  ", _state(view)),
        Text(f"{view.buried_at.astimezone():%Y-%m-%d %H:%M:%S}  {one_line(view.subject)}"),
        Text.assemble((view.error.code, "red"), f"  {one_line(view.error.message)}"),
    ]
    if view.run_id:
        lines.append(Text(f"run {one_line(view.run_id)}", style="dim"))
    if view.replayed_as:
        lines.append(Text(f"replayed as run {view.replayed_as}"))
    if view.reason:
        lines.append(Text(f"dropped: {one_line(view.reason)}"))
    sends = view.replay_sends
    if sends is not None:
        where = f"a replay sends to {one_line(sends.subject)}, as run {sends.run_id}:"
        lines += [Text(), Text(where, style="dim"), Text(safe(sends.payload))]
    else:
        lines += [Text(), Text(safe(view.payload))]
    print_lines(lines)
    if view.obstacle is not None:
        report(RemoteError(view.obstacle))


_COLUMNS = (
    Column("letter", right=True),
    Column("buried", hide=3),
    Column("state"),
    Column("actor", hide=2),
    Column("run", hide=4),
    Column("reason", min_width=12),
)
_STYLES = {"open": "yellow", "replayed": "green", "dropped": "dim"}


def _state(view: LetterView) -> Text:
    edited = " (edited)" if view.edited and view.state == "open" else ""
    return Text(f"{view.state}{edited}", style=_STYLES[view.state])


def _row(view: LetterView) -> tuple[Text | str, ...]:
    return (
        str(view.letter_id),
        f"{view.buried_at.astimezone():%m-%d %H:%M:%S}",
        _state(view),
        one_line(view.actor),
        one_line(view.run_id or ""),
        one_line(f"{view.error.code}: {view.error.message}"),
    )
