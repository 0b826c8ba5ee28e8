"""Which language a prompt's instruction is written in."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Self

from actors.analyzer.cues import find_cues
from actors.analyzer.excerpt import CODE, QUOTE, Excerpt
from actors.analyzer.names import ENGLISH_LANGUAGE_NAMES, SPANISH_LANGUAGE_NAMES
from actors.analyzer.rare_language import find_rare_language

UNDETERMINED: Final = "und"
PROFILES_FILE: Final = "language_profiles.json"

# Longest run of letters that tells a language; longer ones are parts of longer words anyway.
MAX_PIECE_CHARS: Final = 4
MAX_WORD_CHARS: Final = 24
MAX_WORDS: Final = 40
MAX_UNKNOWN_WORDS: Final = 14

# An instruction opens and closes a prompt; what it works on stands in between.
EDGE_WEIGHT: Final = 1.6
NUM_OPENING_WORDS: Final = 3
NUM_CLOSING_WORDS: Final = 2

# Lead of the best language over the next, in natural-log odds, that needs no second look.
CLEAR_LEAD: Final = 2.0
# Below this it may be a language that has no profile.
DOUBTFUL_LEAD: Final = 6.0

# "je ne sais pas in English": the words that name the target are the instruction.
_INTO_ENGLISH: Final = re.compile(
    rf"\b(?:in|into|to) (?:{'|'.join(ENGLISH_LANGUAGE_NAMES)})(?: please)?\W*$"
)
_INTO_SPANISH: Final = re.compile(
    rf"\b(?:en|al|a) (?:{'|'.join(SPANISH_LANGUAGE_NAMES)})(?: por favor)?\W*$"
)
_WORD: Final = re.compile(r"[^\W\d_]+|[¿¡]")
_MARKS: Final = frozenset({QUOTE.strip(), CODE.strip()})
_SCRIPTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("ja", "\u3040", "\u30ff"),
    ("ko", "\uac00", "\ud7af"),
    ("zh", "\u4e00", "\u9fff"),
    ("ru", "\u0400", "\u04ff"),
    ("el", "\u0370", "\u03ff"),
    ("ar", "\u0600", "\u06ff"),
    ("he", "\u0590", "\u05ff"),
    ("hi", "\u0900", "\u097f"),
    ("th", "\u0e00", "\u0e7f"),
)
_FIRST_OTHER_SCRIPT: Final = "\u0370"
_UKRAINIAN: Final = re.compile("[іїєґ]")


def split_words(text: str) -> list[str]:
    """The lower-case words of ``text``, marks of quotes and code left out."""
    words = (word[:MAX_WORD_CHARS] for word in _WORD.findall(text.lower()))
    return [word for word in words if word not in _MARKS]


def word_pieces(word: str) -> list[str]:
    """Every run of up to ``MAX_PIECE_CHARS`` signs of a word, its edges included."""
    padded = f"<{word}>"
    num_signs = len(padded)
    return [
        padded[start : start + length]
        for length in range(1, MAX_PIECE_CHARS + 1)
        for start in range(num_signs - length + 1)
        if padded[start : start + length] not in {"<", ">"}
    ]


class LanguageDetector:
    """Adds up, word by word, how much each speaks for each language.

    ``words`` holds the summed scores of known words, ``pieces`` those of parts of words, which
    stand in for words that are not known. Scores are log odds, one for each of ``languages``.
    """

    def __init__(
        self,
        languages: tuple[str, ...],
        words: Mapping[str, tuple[float, ...]],
        pieces: Mapping[str, tuple[float, ...]],
        prior: tuple[float, ...],
    ) -> None:
        self._languages = languages
        self._words = words
        self._pieces = pieces
        self._prior = prior

    @classmethod
    @cache
    def packaged(cls) -> Self:
        """The detector that ships with the package, read once."""
        text = files(__package__).joinpath(PROFILES_FILE).read_text(encoding="utf-8")
        data = json.loads(text)
        scale = float(data["scale"])

        def scaled(table: dict[str, list[int]]) -> dict[str, tuple[float, ...]]:
            return {key: tuple(value / scale for value in row) for key, row in table.items()}

        return cls(
            tuple(data["languages"]),
            scaled(data["words"]),
            scaled(data["pieces"]),
            tuple(value / scale for value in data["prior"]),
        )

    def detect(self, excerpt: Excerpt) -> str:
        """ISO 639-1 code of the instruction's language, ``und`` where there are no words.

        When the opening and the ending are in different languages, the one that asks for
        something decides.
        """
        other = _other_script(f"{excerpt.head} {excerpt.tail}")
        if other is not None:
            return other
        ending = excerpt.folded_tail or excerpt.folded_head
        if _INTO_ENGLISH.search(ending):
            return "en"
        if _INTO_SPANISH.search(ending):
            return "es"
        return self._detect_words(excerpt)

    def _detect_words(self, excerpt: Excerpt) -> str:
        lead, colon, _ = excerpt.head.partition(":")
        language, margin = self.score(split_words(lead))
        if colon and margin < CLEAR_LEAD:
            language, margin = self.score(split_words(excerpt.head))
        if excerpt.tail:
            ending, ending_margin = self.score(split_words(excerpt.tail))
            clear = ending_margin >= CLEAR_LEAD and ending != language
            if clear and (
                margin < CLEAR_LEAD or _asks_more(excerpt.folded_tail, excerpt.folded_head)
            ):
                return ending
        if margin == 0.0:
            language, margin = self.score(split_words(excerpt.sample))
        if margin < DOUBTFUL_LEAD and language != UNDETERMINED:
            words = split_words(excerpt.head)[:MAX_WORDS]
            return find_rare_language(words, self._known(words)) or language
        return language

    def _known(self, words: list[str]) -> frozenset[str]:
        return frozenset(word for word in words if word in self._words)

    def score(self, words: list[str]) -> tuple[str, float]:
        """The likeliest language of ``words`` and its lead over the next one."""
        words = words[:MAX_WORDS]
        totals = list(self._prior)
        num_unknown = 0
        num_told = 0
        last_opening = NUM_OPENING_WORDS
        first_closing = len(words) - NUM_CLOSING_WORDS
        for index, word in enumerate(words):
            row = self._words.get(word)
            if row is None:
                num_unknown += 1
                if num_unknown > MAX_UNKNOWN_WORDS:
                    continue
                row = self._sum_pieces(word)
            num_told += len(word) > 1 or word in "¿¡yeo"
            edge = index < last_opening or index >= first_closing
            weight = EDGE_WEIGHT if edge else 1.0
            for at, value in enumerate(row):
                totals[at] += weight * value
        if not num_told:
            return UNDETERMINED, 0.0
        best, second = sorted(totals, reverse=True)[:2]
        return self._languages[totals.index(best)], best - second

    def _sum_pieces(self, word: str) -> tuple[float, ...]:
        rows = [row for piece in word_pieces(word) if (row := self._pieces.get(piece))]
        return tuple(map(sum, zip(*rows, strict=True)))


def _asks_more(ending: str, opening: str) -> bool:
    return _num_asking(find_cues(ending)) > _num_asking(find_cues(opening))


def _num_asking(names: Iterable[str]) -> int:
    return sum(
        name.endswith((".verb", ".wh", ".into", ".points", ".short", ".transform", ".explain"))
        for name in names
    )


def _other_script(text: str) -> str | None:
    """The language of a script that (almost) only one language here uses, if it prevails."""
    letters = [char for char in text if char.isalpha()]
    num_other = sum(char >= _FIRST_OTHER_SCRIPT for char in letters)
    if num_other * 2 <= len(letters):
        return None
    for language, first, last in _SCRIPTS:
        if any(first <= char <= last for char in letters):
            if language == "ru" and _UKRAINIAN.search(text.lower()):
                return "uk"
            return language
    return None
