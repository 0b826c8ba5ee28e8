"""The API's OpenAPI document as a file, which the page's types are made from.

    python -m promptbus.openapi_export [--check] [file]

``--check`` writes nothing and fails when the file is missing or differs.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from api.limits import ApiLimits
from api.server import create_app
from bus.connection import BusAddress, Connection
from bus.presence_board import PresenceBoard
from bus.prompt_client import PromptClient
from bus.publisher import Publisher
from bus.stored_events import StoredEvents
from promptbus import __version__

FILE = Path("web/openapi.json")


def render() -> str:
    """The document as text; the same for the same routes. Nothing is connected to."""
    connection = Connection(BusAddress(urls=()), "openapi")
    publisher = Publisher(connection, "openapi")
    app = create_app(
        client=PromptClient(connection, publisher, StoredEvents(connection)),
        board=PresenceBoard(connection),
        connection=connection,
        limits=ApiLimits(),
        version=__version__,
    )
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document, or check it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m promptbus.openapi_export")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    chosen = parser.parse_args(arguments)
    text = render()
    if not chosen.check:
        chosen.file.write_text(text, encoding="utf-8")
        return 0
    if chosen.file.is_file() and chosen.file.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{chosen.file} differs from the routes; run: make schema\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
