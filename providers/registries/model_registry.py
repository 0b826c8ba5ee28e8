"""The models there are: the built-in ones, and those of a user's file merged over them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from contracts.errors import UnknownModel
from providers.registries.fallback_chain import expand_chain, find_cycle
from providers.registries.model_entry import BUILT_IN, ModelEntry
from providers.registries.registry_file import (
    RawEntry,
    RegistryFileInvalid,
    check_entry,
    read_entries,
)
from providers.registries.remote_address import find_fault

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
        raw_entries = read_entries(TABLE, files)
        registry = cls(_checked(key, raw) for key, raw in raw_entries.items())
        _check_fallbacks(registry._entries, raw_entries)
        return registry

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

    def chain(self, key: str) -> tuple[ModelEntry, ...]:
        """The entry ``key`` and those that may answer in its place, in order, each once.

        First the entry's own fallbacks, then theirs. Raises: UnknownModel.
        """
        fallbacks = {name: entry.fallbacks for name, entry in self._entries.items()}
        return tuple(self.get(name) for name in expand_chain(key, fallbacks))


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
    _check_address(entry, raw)
    return entry.model_copy(update={"source": _resolved_source(entry, raw)})


def _check_address(entry: ModelEntry, raw: RawEntry) -> None:
    if not entry.is_remote:
        if entry.base_url is not None:
            raise RegistryFileInvalid(
                file=raw.file,
                entry=entry.key,
                field="base_url",
                reason=f"the provider {entry.provider} asks no server",
                cure='write provider = "openai", or leave base_url out',
            )
        return
    if entry.base_url is None:
        raise RegistryFileInvalid(
            file=raw.file,
            entry=entry.key,
            field="base_url",
            reason="is missing",
            cure="write the address of the server, for example https://host/v1",
        )
    fault = find_fault(entry.base_url, allow_insecure=entry.allow_insecure)
    if fault is not None:
        raise RegistryFileInvalid(
            file=raw.file,
            entry=entry.key,
            field="base_url",
            reason=fault,
            cure="use https://…; or http://… to this machine or a private network, "
            "with allow_insecure = true",
        )


def _check_fallbacks(
    entries: Mapping[str, ModelEntry], raw_entries: Mapping[str, RawEntry]
) -> None:
    """Refuse fallbacks that lead nowhere, or back to where they came from.

    Raises: RegistryFileInvalid.
    """
    for entry in entries.values():
        for name in entry.fallbacks:
            if name not in entries:
                raise RegistryFileInvalid(
                    file=raw_entries[entry.key].file,
                    entry=entry.key,
                    field="fallbacks",
                    reason=f"there is no model {name[:80]!r}",
                    cure=f"choose among: {', '.join(entries)}",
                )
    cycle = find_cycle({key: entry.fallbacks for key, entry in entries.items()})
    if cycle:
        raise RegistryFileInvalid(
            file=raw_entries[cycle[0]].file,
            entry=cycle[0],
            field="fallbacks",
            reason=f"lead in a circle: {' → '.join(cycle)}",
            cure="leave one of them out",
        )


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
