"""``promptbus keys create|list|revoke``."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from rich.text import Text

from bus.key_board import KeyBoard
from contracts.api_key import ApiKey, Scope, new_api_key
from contracts.errors import InvalidInput
from promptbus.cli.client import running
from promptbus.cli.columns import Column, lay_out
from promptbus.cli.shell import out, print_json, print_lines, say_on_stderr
from promptbus.cli.terminal import one_line
from promptbus.data_folder_lock import lock_data_folder
from promptbus.endpoint import read_endpoint
from promptbus.process import open_process
from promptbus.settings import Settings
from promptbus.supervisor import ChildStarter, embedded_server

MAX_NAME_CHARS = 60
MAX_DAYS = 3650

_LIFETIME = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


async def create_key(
    settings: Settings, name: str, scopes: str, expires_in: str | None, as_json: bool
) -> int:
    """Make a key and show it, this once."""
    if not name.strip() or not name.isprintable() or len(name) > MAX_NAME_CHARS:
        raise InvalidInput(field="NAME", reason=f"must be 1 to {MAX_NAME_CHARS} printable signs")
    now = datetime.now(UTC)
    expires_at = now + lifetime(expires_in) if expires_in is not None else None
    token, key = new_api_key(name.strip(), parse_scopes(scopes), now=now, expires_at=expires_at)
    async with _board(settings) as board:
        await board.add(key)
    if as_json:
        print_json({"key": token, **_shown(key)})
        return 0
    say_on_stderr(f"{_describe(key)}; the key is shown this once:")
    print_lines([Text(token)])
    return 0


async def list_keys(settings: Settings, as_json: bool) -> int:
    """Print what is known of the keys; the keys themselves are not."""
    async with _board(settings) as board:
        keys = sorted((await board.read_all()).values(), key=lambda key: key.created_at)
    if as_json:
        print_json([_shown(key) for key in keys])
    elif keys:
        print_lines(lay_out(_COLUMNS, [_row(key) for key in keys], out.width))
    else:
        say_on_stderr("no keys yet; make one: promptbus keys create NAME")
    return 0


async def revoke_key(settings: Settings, key_id: str) -> int:
    """End a key; every API process has heard of it within five seconds."""
    async with _board(settings) as board:
        key = await board.revoke(key_id, datetime.now(UTC))
    out.print(f"key {key.key_id} is revoked", highlight=False)
    return 0


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """``submit,read`` as scopes. Raises: InvalidInput."""
    try:
        return tuple(Scope(part.strip()) for part in text.split(","))
    except ValueError as exc:
        raise InvalidInput(
            field="--scopes", reason=f"must be of {', '.join(Scope)}, with commas between"
        ) from exc


def lifetime(text: str) -> timedelta:
    """``30m``, ``12h`` or ``90d`` as a time span. Raises: InvalidInput."""
    found = _LIFETIME.fullmatch(text)
    span = int(found.group(1)) * _UNITS[found.group(2)] if found else timedelta.max
    if span > timedelta(days=MAX_DAYS):
        raise InvalidInput(
            field="--expires-in", reason=f"must be like 30m, 12h or 90d, up to {MAX_DAYS}d"
        )
    return span


@asynccontextmanager
async def _board(settings: Settings) -> AsyncIterator[KeyBoard]:
    """The keys of the promptbus that runs, or that lie in the data folder of one that does not.

    So that the first key can be made before anything listens where others reach it.
    """
    if settings.address() is not None or read_endpoint(settings.data_dir) is not None:
        async with running(settings) as process:
            yield KeyBoard(process.connection, process.publisher)
        return
    with ExitStack() as stack:
        stack.enter_context(lock_data_folder(settings.data_dir))
        starter = ChildStarter()
        stack.callback(starter.close)
        server = embedded_server(settings)
        stack.callback(server.stop)
        await starter.run(server.start)
        async with open_process(settings.with_address(server.address), "cli") as process:
            yield KeyBoard(process.connection, process.publisher)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "usable" if key.is_usable(datetime.now(UTC)) else "expired"


def _describe(key: ApiKey) -> str:
    until = f", until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else ""
    return f"key {key.key_id} ({key.name}) may {', '.join(key.scopes)}{until}"


def _shown(key: ApiKey) -> dict[str, object]:
    document = key.model_dump(mode="json", exclude={"secret_sha256"})
    return {**document, "state": _state(key)}


_COLUMNS = (
    Column("key"),
    Column("name", hide=1, min_width=8),
    Column("state"),
    Column("scopes", hide=2),
    Column("created", hide=4),
    Column("expires", hide=3),
)
_STYLES = {"usable": "green", "expired": "yellow", "revoked": "red"}


def _row(key: ApiKey) -> tuple[Text | str, ...]:
    state = _state(key)
    return (
        key.key_id,
        one_line(key.name),
        Text(state, style=_STYLES[state]),
        ", ".join(key.scopes),
        f"{key.created_at.astimezone():%Y-%m-%d %H:%M}",
        f"{key.expires_at.astimezone():%Y-%m-%d %H:%M}" if key.expires_at else "never",
    )
