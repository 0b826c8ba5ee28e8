"""How long a text is in tokens, without a tokenizer."""

import re

# Texts longer than this are measured by their start and their end.
MAX_SAMPLE_CHARS = 8000

# Byte-pair vocabularies keep common words of up to about this many letters in one token.
CHARS_PER_TOKEN = 5.0

_PIECE = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_|\n+")


def estimate_tokens(text: str) -> int:
    """The tokens a byte-pair tokenizer would make of ``text``, give or take a fifth.

    Words count by their length, digits in groups of three, signs one each, and scripts without
    spaces (CJK) one a character. Costs the same for any length above ``MAX_SAMPLE_CHARS``.
    """
    if len(text) <= MAX_SAMPLE_CHARS:
        return round(_count(text))
    half = MAX_SAMPLE_CHARS // 2
    sampled = _count(text[:half]) + _count(text[-half:])
    return round(sampled * len(text) / MAX_SAMPLE_CHARS)


def _count(text: str) -> float:
    num_tokens = 0.0
    for piece in _PIECE.findall(text):
        first = piece[0]
        if first >= "\u2e80":
            num_tokens += len(piece)
        elif first.isdigit():
            num_tokens += (len(piece) + 2) // 3
        elif len(piece) <= 1:
            num_tokens += 1
        elif piece.isascii():
            num_tokens += max(1.0, len(piece) / CHARS_PER_TOKEN)
        else:
            num_tokens += max(1.0, len(piece) / 3)
    return num_tokens
