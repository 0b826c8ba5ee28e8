"""Prompts in languages the task type model has not learnt, with their orders put into English.

The model learns from English and Spanish prompts. One in another language is told by the few
words that say what is wanted: ``glosses.txt`` gives their English, the rest stays as it is.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final, Self

from actors.analyzer.excerpt import Excerpt, fold

GLOSSES_FILE: Final = "glosses.txt"

_SECTION: Final = re.compile(r"^\[(\w+)\]$")
# Written without spaces between words, so that a word may begin anywhere.
_UNSPACED: Final = frozenset({"zh", "ja"})
# Endings are written onto the word: only its beginning is known.
_AGGLUTINATED: Final = frozenset({"ko"})
# The verb comes last, where English has it first.
_VERB_FINAL: Final = frozenset({"ja", "ko"})


@dataclass(frozen=True, slots=True)
class Gloss:
    """The known words of one language: a pattern of all of them, and the English of each."""

    pattern: re.Pattern[str]
    english: tuple[str, ...]
    verb_final: bool

    @classmethod
    def of(cls, language: str, rows: dict[str, str]) -> Self:
        """Make the pattern; ``rows`` holds words by what they mean, ``*`` for any ending."""
        entries = sorted(
            ((word, english) for english, words in rows.items() for word in words.split("|")),
            key=lambda entry: -len(entry[0]),
        )
        free = language in _UNSPACED
        opening, closing = ("", "") if free else (r"(?<!\w)", r"(?!\w)")
        if language in _AGGLUTINATED:
            closing = r"\w*"
        words = "|".join(f"({_pattern_of(word)})" for word, _ in entries)
        return cls(
            re.compile(f"{opening}(?:{words}){closing}"),
            tuple(english for _, english in entries),
            language in _VERB_FINAL,
        )

    def read(self, folded: str) -> str:
        """``folded`` with every known word in English."""
        known: list[str] = []

        def to_english(found: re.Match[str]) -> str:
            known.append(self.english[(found.lastindex or 1) - 1].lower())
            return " " if self.verb_final else f" {known[-1]} "

        words = self.pattern.sub(to_english, folded).split()
        return " ".join([*reversed(known), *words] if self.verb_final else words)


def _pattern_of(word: str) -> str:
    folded = fold(word)
    return f"{folded[:-1]}\\w*" if folded.endswith("*") else folded


@cache
def packaged_glosses() -> dict[str, dict[str, str]]:
    """The rows of the file that ships with the package, by language."""
    glosses: dict[str, dict[str, str]] = {}
    rows: dict[str, str] = {}
    for line in files(__package__).joinpath(GLOSSES_FILE).read_text(encoding="utf-8").splitlines():
        if section := _SECTION.match(line):
            rows = glosses.setdefault(section[1], {})
        elif line:
            english, _, words = line.partition(" = ")
            rows[english] = words
    return glosses


@cache
def _gloss(language: str) -> Gloss | None:
    rows = packaged_glosses().get(language)
    return Gloss.of(language, rows) if rows else None


def into_english(excerpt: Excerpt, language: str) -> Excerpt:
    """``excerpt`` with the orders of a prompt in ``language`` in English, where they are known."""
    gloss = _gloss(language)
    if gloss is None:
        return excerpt
    return replace(
        excerpt,
        folded_head=gloss.read(excerpt.folded_head),
        folded_tail=gloss.read(excerpt.folded_tail),
    )
