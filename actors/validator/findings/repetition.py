"""The output goes round in circles."""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import folded_words
from actors.validator.intent import REPEAT, VERSE
from actors.validator.language import FUNCTION_WORDS

_CHAR_RUN = re.compile(r"([^\W\d_])\1{11,}|([!?.,;:])\2{24,}|(\S{2,6}?)\3{9,}")
_SENTENCE = re.compile(r"[^.!?\n]+")
_LIST_MARKER = re.compile(r"^\s*(?:[-*+•]|\d{1,4}[.):])\s*")
_TABLE_OR_RULE = re.compile(r"^\s*[|+\-=*_#~]")
_MAX_PERIOD = 40
_MIN_ROUNDS = 3
_MIN_REPEATED_NUMBERS = 20
_MIN_REPEATED_SOUNDS = 20
_MIN_SUNG_SOUNDS = 30
_MAX_SHOWN_CHARS = 40
# Words that nobody says twice in a row on purpose.
_FUNCTION_WORDS = FUNCTION_WORDS["en"] | FUNCTION_WORDS["es"]
# Laughing and singing repeat by nature.
_SOUNDS_TEXT = """
    ha haha ja jaja la na ho hey yeah oh no never nunca very muy je hi tra doo bla blah row
"""
_SOUNDS = frozenset(_SOUNDS_TEXT.split())
_MIN_SENTENCE_WORDS = 3
_MIN_COMPRESSIBLE_CHARS = 400
# Prose compresses to a half, tables and lists to a quarter, loops to a tenth and less.
_MAX_COMPRESSION = 8.0
_PENALTY = 85


def find_repetition(exchange: Exchange) -> Finding | None:
    """Character runs, loops of words, and sentences or lines said over and over."""
    if not exchange.output or exchange.intent.asks(REPEAT):
        return None
    verse = exchange.intent.asks(VERSE)
    detail = _prose_defect(exchange, verse=verse) or _code_defect(exchange)
    return Finding(FindingName.REPETITION, detail, _PENALTY) if detail else None


def _prose_defect(exchange: Exchange, *, verse: bool) -> str | None:
    prose = "\n".join(
        line
        for line in exchange.prose.splitlines()
        if not _TABLE_OR_RULE.match(line) or line.lstrip()[:2] in {"- ", "* ", "+ "}
    )
    if exchange.wants_json and exchange.output[0] in "{[":
        return None
    if _CHAR_RUN.search(prose) and "http" not in prose:
        return "One character or syllable runs on and on."
    loop = find_loop(folded_words(prose))
    if loop and _is_defect(loop, verse=verse):
        return _describe(loop)
    return _repeated_sentences(prose, verse=verse) or _too_regular(prose)


@dataclass(frozen=True, slots=True)
class Loop:
    """Words (or lines) that follow one another `times` times."""

    words: tuple[str, ...]
    times: int


def find_loop(words: Sequence[str]) -> Loop | None:
    """The loop that covers most words.

    A loop is a stretch in which every word equals the one a fixed number of words before it.
    """
    best: Loop | None = None
    best_cover = 0
    for period in range(1, min(_MAX_PERIOD, len(words) // 2) + 1):
        run = longest = end = 0
        for index in range(period, len(words)):
            run = run + 1 if words[index] == words[index - period] else 0
            if run > longest:
                longest, end = run, index + 1
        times = longest // period + 1
        if times >= _MIN_ROUNDS and longest > best_cover:
            best, best_cover = Loop(tuple(words[end - period : end]), times), longest
            if times * period > len(words) * 0.9:
                break
    return best


def _is_defect(loop: Loop, *, verse: bool) -> bool:
    period, times = len(loop.words), loop.times
    if all(word.isdigit() for word in loop.words):
        return times * period >= _MIN_REPEATED_NUMBERS
    if all(word in _SOUNDS for word in loop.words):
        return times * period >= (_MIN_SUNG_SOUNDS if verse else _MIN_REPEATED_SOUNDS)
    if verse:
        return (times >= 5 and period * times >= 12) or times >= 8  # noqa: PLR2004
    if period == 1:
        return times >= (4 if loop.words[0] in _FUNCTION_WORDS else 6)
    return period * times >= 9 if times == _MIN_ROUNDS else times >= 4  # noqa: PLR2004


def _describe(loop: Loop) -> str:
    words = " ".join(loop.words)
    if len(words) > _MAX_SHOWN_CHARS:
        return f"The same {len(loop.words)} words are repeated {loop.times} times in a row."
    noun = "word" if len(loop.words) == 1 else "words"
    verb = "is" if len(loop.words) == 1 else "are"
    return f"The {noun} {words!r} {verb} repeated {loop.times} times in a row."


def _repeated_sentences(prose: str, *, verse: bool) -> str | None:
    sentences = []
    for part in _SENTENCE.findall(prose):
        words = folded_words(_LIST_MARKER.sub("", part))
        if len(words) >= _MIN_SENTENCE_WORDS:
            sentences.append(" ".join(words))
    if not sentences:
        return None
    _, times = Counter(sentences).most_common(1)[0]
    share = times / len(sentences)
    if verse and times >= 4 and share == 1.0:  # noqa: PLR2004
        return f"The same sentence is said {times} times."
    if times >= (6 if verse else 3) and share >= (0.7 if verse else 0.4):
        return f"The same sentence is said {times} times."
    counts = Counter(sentences)
    doubled = sum(count for count in counts.values() if count > 1)
    often = len(sentences) >= len(counts) * 2.5
    if not verse and len(sentences) >= 6 and often and doubled / len(sentences) >= 0.7:  # noqa: PLR2004
        return "Most sentences are said more than once."
    return None


def _too_regular(prose: str) -> str | None:
    if len(prose) < _MIN_COMPRESSIBLE_CHARS:
        return None
    data = prose.encode("utf-8", "replace")
    if len(data) / len(zlib.compress(data, 6)) > _MAX_COMPRESSION:
        return "The text is almost all repetition."
    return None


def _code_defect(exchange: Exchange) -> str | None:
    for fence in exchange.fences:
        lines = [line.strip() for line in fence.code.splitlines() if len(line.strip()) > 3]  # noqa: PLR2004
        loop = find_loop(lines)
        if loop and loop.times >= 6:  # noqa: PLR2004
            return f"The same lines of code are repeated {loop.times} times."
    return None
