"""The page for browsers, at the address where programs get JSON."""

from pathlib import Path
from typing import Final

from fastapi import Response
from fastapi.responses import FileResponse

_HTML: Final = "text/html"
_JSON: Final = frozenset({"application/json", "*/*"})


class Page:
    """The built page: ``index.html`` in ``folder``; ``folder`` is None where none was built."""

    def __init__(self, folder: Path | None) -> None:
        self._index = folder / "index.html" if folder is not None else None

    def response(self, accept: str) -> Response | None:
        """The page, where there is one and its reader would rather have it than JSON."""
        if self._index is None or not prefers_html(accept):
            return None
        return FileResponse(self._index, media_type=_HTML, headers={"Vary": "Accept"})


def prefers_html(accept: str) -> bool:
    """Whether ``accept`` (RFC 9110 section 12.5.1) wants HTML more than JSON; pure.

    Programs mostly accept anything, and get JSON.
    """
    weights = [_weight(part) for part in accept.lower().split(",")]
    html = max((weight for name, weight in weights if name == _HTML), default=0.0)
    json = max((weight for name, weight in weights if name in _JSON), default=0.0)
    return html > json


def _weight(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(1.0, max(0.0, float(value)))
            except ValueError:
                return name, 0.0
    return name, 1.0
