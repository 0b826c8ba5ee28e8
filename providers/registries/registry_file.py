"""Reading the TOML files of the registries into checked entries."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.errors import PromptbusError

EntryT = TypeVar("EntryT", bound=BaseModel)


class RegistryFileInvalid(PromptbusError):
    """A registry file cannot be used as it is; says which file, entry and field, and why."""

    code = "registry_file_invalid"

    def __init__(
        self,
        *,
        file: Path,
        reason: str,
        cure: str,
        entry: str | None = None,
        field: str | None = None,
    ) -> None:
        place = ": ".join(part for part in (file.name, entry, field) if part)
        super().__init__(f"{place}: {reason}", cure=cure)
        self.file = file
        self.entry = entry
        self.field = field


@dataclass(frozen=True, slots=True)
class RawEntry:
    """Fields of one entry as the files say it; ``file`` is the last one that did."""

    fields: Mapping[str, Any]
    file: Path


def read_entries(table: str, paths: Iterable[Path]) -> dict[str, RawEntry]:
    """Entries of ``[<table>.<key>]`` in all files; a later file adds to and overrides an earlier.

    Raises: RegistryFileInvalid when a file is missing, is no TOML, or holds anything else.
    """
    entries: dict[str, RawEntry] = {}
    for path in paths:
        for key, fields in _read_table(table, path).items():
            if not isinstance(fields, dict):
                raise RegistryFileInvalid(
                    file=path,
                    entry=key,
                    reason="must be a table of fields",
                    cure=f'write it as [{table}."{key}"] with one field a line',
                )
            earlier = entries[key].fields if key in entries else {}
            entries[key] = RawEntry({**earlier, **fields}, path)
    return entries


def check_entry(cls: type[EntryT], table: str, key: str, raw: RawEntry) -> EntryT:
    """The entry ``key`` as a checked ``cls``.

    Raises: RegistryFileInvalid naming the first wrong field and what it may be.
    """
    try:
        return cls.model_validate({**raw.fields, "key": key})
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False)
        # A misspelt field often leaves another one missing; the spelling is what helps.
        error = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        field = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            raise _unknown_field(cls, table, key, field, raw) from exc
        raise RegistryFileInvalid(
            file=raw.file,
            entry=key,
            field=field,
            reason=error["msg"].removeprefix("Value error, "),
            cure=f"correct {field} of [{table}.{_quoted(key)}]",
        ) from exc


def _read_table(table: str, path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise RegistryFileInvalid(
            file=path,
            reason="does not exist",
            cure="create it or correct the setting that names it",
        ) from exc
    except OSError as exc:
        raise RegistryFileInvalid(
            file=path,
            reason=f"cannot be read ({exc.strerror})",
            cure="give this process the right to read it",
        ) from exc
    except UnicodeDecodeError as exc:
        raise RegistryFileInvalid(
            file=path, reason="is not UTF-8 text", cure="save it as UTF-8"
        ) from exc
    except tomllib.TOMLDecodeError as exc:
        raise RegistryFileInvalid(
            file=path, reason=f"is not TOML: {exc}", cure="correct that line"
        ) from exc
    strangers = sorted(document.keys() - {table})
    if strangers:
        raise RegistryFileInvalid(
            file=path,
            entry=strangers[0],
            reason="is not a table of this file",
            cure=f'entries are written as [{table}."<key>"]',
        )
    entries = document.get(table, {})
    if not isinstance(entries, dict):
        raise RegistryFileInvalid(
            file=path,
            entry=table,
            reason="must be a table",
            cure=f'entries are written as [{table}."<key>"]',
        )
    return entries


def _unknown_field(
    cls: type[BaseModel], table: str, key: str, field: str, raw: RawEntry
) -> RegistryFileInvalid:
    if isinstance(raw.fields.get(field), dict):
        cure = f'a key with dots needs quotes: [{table}."{key}.{field}"]'
    else:
        known = ", ".join(sorted(cls.model_fields.keys() - {"key"}))
        cure = f"the fields are: {known}"
    return RegistryFileInvalid(
        file=raw.file, entry=key, field=field, reason="is not a known field", cure=cure
    )


def _quoted(key: str) -> str:
    return f'"{key}"' if "." in key else key
