"""The parts of a prompt that say what is wanted, apart from the text that was pasted into it."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Self

# An instruction stands at the start or at the end; what lies between is never read in full, so
# that a prompt of any length costs the same.
MAX_HEAD_CHARS = 3000
MAX_TAIL_CHARS = 1200
MAX_ZONE_WORDS = 32
MIN_HEAD_WORDS = 5
MIN_TAIL_WORDS = 3
MAX_BODY_CHARS = 400

QUOTE = " qqq "
CODE = " ccc "

_FOLDS = {ord("’"): "'", ord("‘"): "'", ord("`"): "'", ord("´"): "'"}
_FENCE = re.compile(r"```[^`]*(?:```|$)|~~~[^~]*(?:~~~|$)")
_INLINE_CODE = re.compile(r"`[^`\n]{1,200}`")
_QUOTED = re.compile(
    r"\"[^\"]{1,1500}\"|“[^“”]{1,1500}”|«[^«»]{1,1500}»|„[^„“”]{1,1500}[“”]"
    r"|(?<![^\W_])'[^'\n]{2,300}'(?![^\W_])|(?<![^\W_])‘[^‘’\n]{2,300}’(?![^\W_])"
)
_SEGMENT_END = re.compile(r"(?<=[.!?:…])\s+|\n\s*|(?<=\?)(?=\w)")


def fold(text: str) -> str:
    """``text`` in lower case, without accents and with plain apostrophes."""
    lowered = text.lower()
    if lowered.isascii():
        return lowered.replace("`", "'")
    decomposed = unicodedata.normalize("NFKD", lowered.translate(_FOLDS))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Where a prompt says what it wants: its opening, its ending, and a piece of what lies between.

    Quoted text and code are replaced by the marks ``QUOTE`` and ``CODE``, because they are what is
    worked on and not what is asked. ``folded_*`` are the same parts as ``fold`` makes them, and
    ``sample`` is the prompt itself, cut to its two ends when long. ``ends_open`` is true when the
    opening ends in a colon: what follows is then material, and the ending is empty unless a blank
    line sets it apart.
    """

    head: str
    tail: str
    folded_head: str
    folded_tail: str
    folded_body: str
    sample: str
    has_fence: bool
    has_quote: bool
    ends_open: bool

    @classmethod
    def of(cls, text: str) -> Self:
        """The excerpt of ``text``; any string is accepted, and the work done is bounded."""
        sample = _sample(text)
        unfenced, num_fences = _FENCE.subn(CODE, sample)
        unquoted, num_quotes = _QUOTED.subn(QUOTE, _INLINE_CODE.sub(CODE, unfenced))
        if not _has_words(unquoted):
            unquoted, num_quotes = unfenced, 0
        segments = [stripped for part in _SEGMENT_END.split(unquoted) if (stripped := part.strip())]
        num_head = _count_head(segments)
        head = " ".join(segments[:num_head])
        rest = segments[num_head:]
        ends_open = head.endswith(":")
        num_tail = _count_tail(rest, unquoted, ends_open)
        cut = len(rest) - num_tail
        head = _words(head, first=True)
        tail = _words(" ".join(rest[cut:]), first=False)
        return cls(
            head=head,
            tail=tail,
            folded_head=fold(head),
            folded_tail=fold(tail),
            folded_body=fold(" ".join(rest[:cut])[:MAX_BODY_CHARS]),
            sample=sample,
            has_fence=num_fences > 0,
            has_quote=num_quotes > 0,
            ends_open=ends_open,
        )


def _sample(text: str) -> str:
    if len(text) > MAX_HEAD_CHARS + MAX_TAIL_CHARS:
        text = f"{text[:MAX_HEAD_CHARS]}\n{text[-MAX_TAIL_CHARS:]}"
    return text.strip()


def _has_words(text: str) -> bool:
    return any(word not in {QUOTE.strip(), CODE.strip()} for word in re.findall(r"\w\w+", text))


def _count_head(segments: list[str]) -> int:
    num_words = 0
    for index, segment in enumerate(segments):
        num_words += len(segment.split(None, MAX_ZONE_WORDS))
        if num_words >= MIN_HEAD_WORDS or (segment.endswith(":") and num_words > 1):
            return index + 1
    return len(segments)


def _count_tail(rest: list[str], text: str, ends_open: bool) -> int:
    if not rest or (ends_open and "\n\n" not in text):
        return 0
    num_words = 0
    for index, segment in enumerate(reversed(rest)):
        num_words += len(segment.split(None, MAX_ZONE_WORDS))
        if num_words >= MIN_TAIL_WORDS:
            return index + 1
    return len(rest)


def _words(text: str, *, first: bool) -> str:
    # Very long "words" (a pasted key, a URL) are cut as well: zones stay small whatever comes.
    words = text.split()
    words = words[:MAX_ZONE_WORDS] if first else words[-MAX_ZONE_WORDS:]
    return " ".join(word[:60] for word in words)
