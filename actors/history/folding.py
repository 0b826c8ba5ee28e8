"""Text in the form in which it is searched."""

import unicodedata
from typing import Final

# Whoever searches remembers how a prompt began; longer copies would double the database.
MAX_FOLDED_CHARS: Final = 1024


def fold(text: str) -> str:
    """The beginning of ``text`` in lower case, without accents and with single spaces.

    Done here and not in SQL, because SQLite folds ASCII only and PostgreSQL by its locale.
    """
    decomposed = unicodedata.normalize("NFKD", text[:MAX_FOLDED_CHARS])
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(bare.casefold().split())[:MAX_FOLDED_CHARS]
