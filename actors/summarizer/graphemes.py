"""Where a text may be cut: between words, and never within what a reader sees as one sign.

A simplified form of the extended grapheme clusters of Unicode Standard Annex 29, made from the
categories that the standard library knows. It never cuts where the annex forbids it for marks,
emoji sequences, flags and Hangul; it may keep together what the annex would let apart.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

_ZERO_WIDTH_JOINER: Final = "\u200d"
_EXTENDING_CATEGORIES: Final = frozenset({"Mn", "Mc", "Me"})
_FIRST_FLAG, _LAST_FLAG = "\U0001f1e6", "\U0001f1ff"
_FIRST_TONE, _LAST_TONE = "\U0001f3fb", "\U0001f3ff"
# Jamo that begin a Hangul syllable, those that go on with it, and whole syllables.
_FIRST_LEADING, _LAST_LEADING = "\u1100", "\u115f"
_FIRST_FOLLOWING, _LAST_FOLLOWING = "\u1160", "\u11ff"
_FIRST_SYLLABLE, _LAST_SYLLABLE = "\uac00", "\ud7a3"
_VIRAMA_CLASS: Final = 9


def graphemes(text: str) -> Iterator[str]:
    """``text`` in pieces that must stay whole."""
    start = 0
    num_flags = 0
    for index in range(1, len(text)):
        before, char = text[index - 1], text[index]
        num_flags = num_flags + 1 if _is_flag(before) else 0
        if _joined(before, char, num_flags):
            continue
        yield text[start:index]
        start = index
    if text:
        yield text[start:]


def cut(text: str, max_chars: int, mark: str = "") -> str:
    """``text``, or as many whole words of it as fit ``max_chars`` together with ``mark``.

    A first word that is longer than that is cut between graphemes.
    """
    if len(text) <= max_chars:
        return text
    room = max_chars - len(mark)
    end = _last_break(text, room)
    if end > 0:
        return text[:end].rstrip() + mark
    kept = ""
    for piece in graphemes(text[: room + 64]):
        if len(kept) + len(piece) > room:
            break
        kept += piece
    return kept + mark


def _last_break(text: str, room: int) -> int:
    """The last place up to ``room`` where a word ends, 0 when there is none."""
    for index in range(min(room, len(text) - 1), 0, -1):
        if text[index].isspace() and not text[:index].isspace():
            return index
    return 0


def _joined(before: str, char: str, num_flags: int) -> bool:
    if _is_flag(char) and _is_flag(before):
        return num_flags % 2 == 1
    if before == _ZERO_WIDTH_JOINER or char in (_ZERO_WIDTH_JOINER, "\u200c"):
        return True
    if unicodedata.category(char) in _EXTENDING_CATEGORIES or _is_skin_tone(char):
        return True
    if unicodedata.combining(before) == _VIRAMA_CLASS and char.isalpha():
        return True
    return _same_syllable(before, char)


def _same_syllable(before: str, char: str) -> bool:
    is_syllable = _FIRST_SYLLABLE <= char <= _LAST_SYLLABLE
    if _FIRST_FOLLOWING <= char <= _LAST_FOLLOWING:
        after_syllable = _FIRST_SYLLABLE <= before <= _LAST_SYLLABLE
        return after_syllable or _FIRST_LEADING <= before <= _LAST_FOLLOWING
    if is_syllable or _FIRST_LEADING <= char <= _LAST_LEADING:
        return _FIRST_LEADING <= before <= _LAST_LEADING
    return False


def _is_flag(char: str) -> bool:
    return _FIRST_FLAG <= char <= _LAST_FLAG


def _is_skin_tone(char: str) -> bool:
    return _FIRST_TONE <= char <= _LAST_TONE
