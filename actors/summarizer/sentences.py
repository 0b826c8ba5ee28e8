"""Sentences of a text in English or Spanish, in one pass."""

import re
from collections.abc import Iterator
from typing import Final

# Signs that may end a sentence, with the quotes and brackets that they close.
_END = re.compile(r"[.!?…。！？]+[\"'»”’)\]]*")
# These end a sentence whatever follows; the others need white space behind them.
_ALWAYS: Final = frozenset("。！？")
_ABBREVIATIONS_TEXT: Final = """dr dra mr mrs ms sr sra srta st prof ing lic vs etc e.g i.e eg ie
    no núm num fig aprox art cap vol pág pag ej p.ej ee.uu ud uds jr inc ltd co dept approx est"""
_ABBREVIATIONS: Final = frozenset(_ABBREVIATIONS_TEXT.split())
_LAST_WORD = re.compile(r"(?<!\w)([^\W\d_](?:[^\W_]|\.){0,11})\.$")
# "J. Smith", "U.S. Army": a sentence that ends so is joined to the next, which does less harm.
_INITIALS = re.compile(r"[A-ZÁÉÍÓÚÑ](?:\.[A-ZÁÉÍÓÚÑ])*")
# A number and a point at the beginning count, as in "1. First"; they end no sentence.
_COUNT = re.compile(r"\s*\d{1,3}\.")


def sentences(text: str) -> Iterator[str]:
    """The sentences of ``text``; a line break always ends one."""
    for line in text.splitlines():
        start = 0
        for found in _END.finditer(line):
            if _ends(line, start, found):
                yield line[start : found.end()].strip()
                start = found.end()
        last = line[start:].strip()
        if last:
            yield last


def _ends(line: str, start: int, found: re.Match[str]) -> bool:
    """Whether a sentence ends here, rather than a number, an abbreviation or a file name."""
    end = found.end()
    if end == len(line) or not _ALWAYS.isdisjoint(found.group()):
        return True
    if not line[end].isspace():
        return False
    if found.group() != ".":
        return True
    word = _LAST_WORD.search(line[max(start, end - 14) : end])
    if word is None:
        return _COUNT.fullmatch(line, start, end) is None
    is_initials = _INITIALS.fullmatch(word.group(1)) is not None
    return not is_initials and word.group(1).lower() not in _ABBREVIATIONS
