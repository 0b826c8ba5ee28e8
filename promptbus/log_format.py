"""Logs on stderr: plain lines, or one JSON object a line for machines."""

import json
import logging
import os
import socket
import traceback
from datetime import UTC, datetime
from typing import Any

from contracts.run_context import current_run_id

_OURS = ("actors", "api", "bus", "promptbus", "providers")


class JsonFormatter(logging.Formatter):
    """One object a line, with the run and the trace that the line is about.

    Of an exception it tells the class and where it was raised, never its words: those of a foreign
    library may quote the prompt.
    """

    def __init__(self) -> None:
        super().__init__()
        self._process = {"host": socket.gethostname(), "pid": os.getpid()}

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
        }
        run_id = current_run_id()
        if run_id is not None:
            line |= {"run_id": run_id, "trace_id": run_id}
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            line["exception"] = record.exc_info[0].__qualname__
            line["stack"] = [f"{one.filename}:{one.lineno} {one.name}" for one in frames]
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up_logging(level: str, form: str = "text") -> None:
    """Lines on stderr, as ``text`` or ``json``; ours at ``level``, chatty libraries at WARNING."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    if form == "json":
        for to in root.handlers:
            to.setFormatter(JsonFormatter())
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
