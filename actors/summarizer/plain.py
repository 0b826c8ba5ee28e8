"""Text as one may put it into a list: one line, no hidden signs, no markup."""

import re
import unicodedata
from typing import Final

# Stacked marks ("zalgo") overflow the line they stand in; no language needs more on one letter.
_MAX_MARKS: Final = 4
_MARK_CATEGORIES: Final = frozenset({"Mn", "Me"})
# Controls, surrogates, bidirectional overrides, invisible operators, the byte order mark, and the
# tags and selectors in which text can be hidden from a reader.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LEADING_MARKUP = re.compile(r"^[ \t]{0,8}(?:#{1,6}[ \t]+|[-*+•][ \t]+|>[ \t]?|\d{1,3}[.)][ \t]+)")
_RULE = re.compile(r"[-*_=|:+ \t]{3,}")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\([^()\s]{0,500}\)")
_EMPHASIS = re.compile(r"\*\*|__|~~|`|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")


def visible(text: str) -> str:
    """``text`` without hidden signs and with few marks on each letter; line breaks stay."""
    text = _HIDDEN.sub("", text)
    return text if text.isascii() else _calm(text)


def one_line(text: str) -> str:
    """:func:`visible` ``text`` with single spaces for all white space."""
    return " ".join(visible(text).split())


def without_markup(line: str) -> str:
    """A line of Markdown as plain text; empty for a rule or the frame of a table."""
    if _RULE.fullmatch(line):
        return ""
    line = _LEADING_MARKUP.sub("", line)
    return _EMPHASIS.sub("", _LINK.sub(r"\1", line))


def _calm(text: str) -> str:
    kept: list[str] = []
    num_marks = 0
    for char in text:
        is_mark = unicodedata.category(char) in _MARK_CATEGORIES
        num_marks = num_marks + 1 if is_mark else 0
        if num_marks <= _MAX_MARKS:
            kept.append(char)
    return "".join(kept)
