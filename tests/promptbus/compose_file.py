"""Reads ``docker-compose.yml`` as Compose would: merged, and with its variables filled in."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[2] / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")


def compose_file() -> dict[str, Any]:
    """The file's content."""
    found: dict[str, Any] = _filled(yaml.safe_load(FILE.read_text()))
    return found


def _filled(value: Any) -> Any:
    match value:
        case dict():
            return {key: _filled(part) for key, part in value.items()}
        case list():
            return [_filled(part) for part in value]
        case str():
            return _VARIABLE.sub(_fill, value)
    return value


def _fill(found: re.Match[str]) -> str:
    if found.group() == "$$":
        return "$"
    return os.environ.get(found["name"]) or found["default"] or ""
