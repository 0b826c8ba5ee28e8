"""What the task type model sees of a prompt: named signs that its excerpt has or has not."""

import re
from collections.abc import Iterator
from typing import Final

from actors.analyzer.cues import count_code_shapes, find_cues, shows_error
from actors.analyzer.excerpt import Excerpt
from actors.analyzer.names import LANGUAGE_CODES, PROGRAMMING_LANGUAGES

MAX_BODY_TOKENS: Final = 60
# Parts of words make the model forgive typing errors and unseen inflections.
PIECE_CHARS: Final = 3
MIN_PIECE_WORD_CHARS: Final = 4
MAX_PIECE_WORDS: Final = 12

_TOKEN: Final = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|[?¿%=+*/^<>{}()\[\];:$#@!¡-]|[^\W\d_a-z]+")
_OPENER: Final = re.compile(
    r"^(?:\W*(?:(?:hi|hello|hey|hola|buenas|oye|ok|so|and|y|pues|bueno|quick question|please|kindly"
    r"|por favor|porfa(?:vor)?|pls|plz|could you|can you|would you|will you|can u|puedes|podrias"
    r"|puede|podria|me puedes|me podrias|me puede|te importaria|would you mind|i (?:need|want) you"
    r" to|i'd like you to|(?:necesito|quiero|me gustaria) que (?:me )?)\b))+\W*"
)
# Neighbouring words are learnt for all languages at once: "in LANG", "PROG script".
_KINDS: Final[dict[str, str]] = dict.fromkeys(LANGUAGE_CODES, "LANG") | dict.fromkeys(
    PROGRAMMING_LANGUAGES, "PROG"
)
_ORDER_SAMPLE_CHARS: Final = 700
_MIN_TOLD_WORDS: Final = 6
_QUOTE_MARKS: Final = frozenset("\"'«“‘")
_DIGIT_STEPS: Final = (1, 2, 4, 8)
_LENGTH_STEPS: Final = (1, 2, 3, 5, 8, 12, 20, 40, 80)


def tokenize(folded: str) -> list[str]:
    """Words, signs that matter, and ``0`` for every number."""
    return ["0" if token[0].isdigit() else token for token in _TOKEN.findall(folded)]


def make_features(excerpt: Excerpt) -> set[str]:
    """The names of the features that a prompt has."""
    head = excerpt.folded_head
    tail = excerpt.folded_tail
    features: set[str] = set()
    _add_zone(features, "h", tokenize(head))
    _add_zone(features, "t", tokenize(tail))
    _add_start(features, "s", head)
    _add_start(features, "z", tail)
    features.update(f"b:{token}" for token in tokenize(excerpt.folded_body)[:MAX_BODY_TOKENS])
    for zone, folded in (("h", head), ("t", tail)):
        for name in find_cues(folded):
            features.add(name)
            features.add(f"{zone}.{name}")
    features.update(_shape(excerpt, head))
    return features


def _add_zone(features: set[str], zone: str, tokens: list[str]) -> None:
    previous = "^"
    for token in tokens:
        features.add(f"{zone}:{token}")
        features.add(f"w:{token}")
        kind = _KINDS.get(token, token)
        features.add(f"{zone}:{previous} {kind}")
        previous = kind
    features.add(f"{zone}:{previous} $")
    for token in tokens[:MAX_PIECE_WORDS]:
        if len(token) >= MIN_PIECE_WORD_CHARS:
            padded = f"<{token}>"
            for start in range(len(padded) - PIECE_CHARS + 1):
                features.add(f"c:{padded[start : start + PIECE_CHARS]}")


def _add_start(features: set[str], zone: str, folded: str) -> None:
    plain, num_openers = _OPENER.subn("", folded)
    tokens = tokenize(plain)[:2]
    if tokens:
        features.add(f"{zone}:{tokens[0]}")
        features.add(f"{zone}:{' '.join(tokens)}")
    if num_openers:
        features.add(f"{zone}:opener")


def _shape(excerpt: Excerpt, head: str) -> Iterator[str]:
    for step in range(count_code_shapes(excerpt)):
        yield f"code>{step}"
    num_digits = sum(char.isdigit() for char in head)
    yield from (f"digits>={step}" for step in _DIGIT_STEPS if num_digits >= step)
    num_words = len(head.split())
    yield from (f"words<={step}" for step in _LENGTH_STEPS if num_words <= step)
    if excerpt.has_fence:
        yield "fence"
    if excerpt.has_quote:
        yield "quote"
        if shows_error(excerpt):
            yield "quoted.error"
    if excerpt.ends_open:
        yield "open"
    if excerpt.tail:
        yield "tail"
    yield from _order_of_question(excerpt.sample[:_ORDER_SAMPLE_CHARS])
    if excerpt.folded_body:
        yield "body"


def _order_of_question(sample: str) -> Iterator[str]:
    """A text that follows or precedes its question is what the question is about."""
    before, mark, after = sample.partition("?")
    if mark and "?" not in after and len(after.split()) >= _MIN_TOLD_WORDS:
        yield "asks then tells"
    if mark and after.lstrip()[:1] and after.lstrip()[0] in _QUOTE_MARKS:
        yield "asks about quote"
    if sample.endswith("?") and before.count(". ") + before.count("\n") > 1:
        yield "tells then asks"
