"""What may reach a terminal, and how wide it is."""

import os
import re
import sys
import unicodedata
from typing import TextIO

from rich.console import Console

# A stream that is no terminal has no width: nothing is cut or hidden there.
ENDLESS = 1_000_000

# Joiners and soft hyphens belong to scripts and emoji; the other format characters reorder text.
_HARMLESS_FORMATS = frozenset("\u00ad\u200c\u200d")
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_HARMFUL_IN_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def safe(text: str) -> str:
    """``text`` without control characters: no model may move the cursor or colour the screen.

    Line feeds and tabs stay, carriage returns vanish, anything else becomes U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(sign) for sign in text)


def one_line(text: str) -> str:
    """``text`` safe and on one line, for a cell of a table."""
    return " ".join(safe(text).split())


def safe_json(document: str) -> str:
    """The same JSON with what a terminal would obey or a stream could not encode as escapes."""
    return _HARMFUL_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", document)


def open_console(stream: TextIO, *, stderr: bool = False) -> Console:
    """A console on ``stream``: as wide as the terminal or ``COLUMNS``, else endless."""
    bounded = stream.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(stderr=stderr, highlight=False, width=None if bounded else ENDLESS)


def tolerate_narrow_encodings() -> None:
    """Show a question mark for signs that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _shown(sign: str) -> str:
    if sign in "\n\t" or sign in _HARMLESS_FORMATS:
        return sign
    if sign == "\r":
        return ""
    return "\ufffd" if unicodedata.category(sign) in _HARMFUL else sign
