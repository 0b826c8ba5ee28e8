"""JSON Schemas of everything that travels, one file each, for readers in other languages.

    python -m promptbus.schema_export [--check] [folder]

``--check`` writes nothing and fails when a file is missing, differs or is left over.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from contracts.call import CALLS
from contracts.envelope import MESSAGES
from contracts.errors import ErrorInfo
from contracts.generation import DirectRequest, GenerationResult
from contracts.presence import HostReport
from contracts.prompt import PromptRequest
from contracts.run_view import RunView

FOLDER = Path("docs/schema")
EXPORTED: tuple[type[BaseModel], ...] = (
    *MESSAGES,
    *CALLS,
    HostReport,
    PromptRequest,
    DirectRequest,
    GenerationResult,
    RunView,
    ErrorInfo,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render() -> dict[str, str]:
    """File names and their text; the same for the same contracts."""
    return {f"{cls.__name__}.json": _schema_text(cls) for cls in EXPORTED}


def drift(folder: Path) -> list[str]:
    """What in ``folder`` differs from the contracts, one line each; empty where nothing does."""
    expected = render()
    found = {path.name for path in folder.glob("*.json")}
    lines = [f"{name}: is left over" for name in found - expected.keys()]
    for name, text in expected.items():
        if name not in found:
            lines.append(f"{name}: is missing")
        elif (folder / name).read_text(encoding="utf-8") != text:
            lines.append(f"{name}: differs from the contracts")
    return sorted(lines)


def write(folder: Path) -> None:
    """Make ``folder`` hold the schemas and no other JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = render()
    for path in folder.glob("*.json"):
        if path.name not in expected:
            path.unlink()
    for name, text in expected.items():
        (folder / name).write_text(text, encoding="utf-8")


def _schema_text(cls: type[BaseModel]) -> str:
    schema = {"$schema": _DIALECT, **cls.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the schemas, or check them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m promptbus.schema_export")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        write(chosen.folder)
        return 0
    lines = drift(chosen.folder)
    for line in lines:
        sys.stderr.write(f"{line}\n")
    if lines:
        sys.stderr.write("run: python -m promptbus.schema_export\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
