"""Text made comparable: case, accents and punctuation taken away."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def fold(text: str) -> str:
    """Lower case without accents; `ñ` becomes `n`. Length may change."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in parts if not unicodedata.combining(char))


def words_of(text: str) -> list[str]:
    """The words and numbers of `text` in order, as written."""
    return _WORD.findall(text)


def folded_words(text: str) -> list[str]:
    """The words and numbers of `text` in order, folded."""
    return _WORD.findall(fold(text))
