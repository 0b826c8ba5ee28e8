"""The models there are: the built-in ones, and those of a user's file merged over them."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from contracts.errors import UnknownModel
from providers.registries.model_entry import BUILT_IN, ModelEntry
from providers.registries.registry_file import (
    RawEntry,
    RegistryFileInvalid,
    check_entry,
    read_entries,
)

TABLE = "models"
BUILT_IN_FILE = Path(__file__).with_name("models.toml")

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class ModelRegistry:
    """Immutable look-up of :class:`ModelEntry` by key; the first entry is the default model."""

    def __init__(self, entries: Iterable[ModelEntry]) -> None:
        self._entries = {entry.key: entry for entry in entries}

    @classmethod
    def from_toml(cls, paths: Sequence[Path] = (), *, built_in: bool = True) -> Self:
        """The built-in models with each file of ``paths`` merged over them, field by field.

        Raises: RegistryFileInvalid naming file, entry, field and cure.
        """
        files = [BUILT_IN_FILE, *paths] if built_in else paths
        return cls(_checked(key, raw) for key, raw in read_entries(TABLE, files).items())

    def list(self) -> tuple[ModelEntry, ...]:
        """All entries in the order of the files."""
        return tuple(self._entries.values())

    def get(self, key: str) -> ModelEntry:
        """The entry ``key``.

        Raises: UnknownModel with the keys there are.
        """
        try:
            return self._entries[key]
        except KeyError:
            raise UnknownModel(model=key, known=tuple(self._entries)) from None


def _checked(key: str, raw: RawEntry) -> ModelEntry:
    entry = check_entry(ModelEntry, TABLE, key, raw)
    if entry.default_strategy not in entry.strategies:
        raise RegistryFileInvalid(
            file=raw.file,
            entry=key,
            field="default_strategy",
            reason=f"{entry.default_strategy!r} is not among its strategies",
            cure=f"choose one of: {', '.join(entry.strategies)}",
        )
    return entry.model_copy(update={"source": _resolved_source(entry, raw)})


def _resolved_source(entry: ModelEntry, raw: RawEntry) -> str:
    if entry.provider != "local" or entry.source == BUILT_IN:
        return entry.source
    if entry.source.startswith((".", "/", "~")):
        return str((raw.file.parent / Path(entry.source).expanduser()).resolve())
    if not _HUB_ID.fullmatch(entry.source):
        raise RegistryFileInvalid(
            file=raw.file,
            entry=entry.key,
            field="source",
            reason=f"{entry.source[:80]!r} is neither a hub id nor a folder",
            cure="write owner/name, or a folder that begins with ./, / or ~/",
        )
    return entry.source
