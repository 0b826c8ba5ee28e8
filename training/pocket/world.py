"""The tables of the small world that the model knows."""

import random
from dataclasses import dataclass
from pathlib import Path

from training.pocket.phrasing import Language, Section, Split, load_sections

WORLD = Path(__file__).parent / "world"

# One pair of operands in ten is never trained on, so that sums are calculated and not recalled.
_HELD_OUT_PAIRS = 0.1
_MAX_OPERAND = 99

Pair = dict[Language, str]


def _rows(name: str) -> list[list[str]]:
    lines = (WORLD / name).read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.split("; ")] for line in lines if line and line[0] != "#"
    ]


def _pair(english: str, spanish: str) -> Pair:
    return {Language.ENGLISH: english, Language.SPANISH: spanish}


@dataclass(frozen=True)
class Snippet:
    """One ask for code: the thing asked for, the action asked for, and the line of Python."""

    item: Pair
    action: Pair
    code: str


@dataclass(frozen=True)
class World:
    """All that the model is to know, and all phrasings in which it is asked."""

    countries: list[tuple[Pair, Pair]]
    colors: list[tuple[Pair, Pair]]
    calendar: dict[str, list[Pair]]
    opposites: dict[Language, dict[str, str]]
    dictionary: dict[Language, dict[str, str]]
    snippets: list[Snippet]
    answers: dict[str, Pair]
    phrasings: dict[Language, dict[str, Section]]
    fillers: dict[Language, dict[str, Section]]
    names: dict[str, Section]
    held_out_sums: frozenset[tuple[int, int]]

    def phrasing(self, section: str, language: Language, split: Split, rng: random.Random) -> str:
        """One template of a section, longer ones with more alternatives not favoured."""
        return rng.choice(self.phrasings[language][section].lines(split))

    def filler(self, section: str, language: Language, split: Split, rng: random.Random) -> str:
        """One filler; the held-out split falls back on trained ones where it has none."""
        fillers = self.fillers[language][section]
        return rng.choice(fillers.lines(split) or fillers.train)

    def name(self, section: str, split: Split, rng: random.Random) -> str:
        """A first name, last name, city, or part of an e-mail address."""
        return rng.choice(self.names[section].lines(split))


def _opposites(name: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for first, second in _rows(name):
        table.setdefault(first, second)
        table.setdefault(second, first)
    return table


def _dictionary() -> dict[Language, dict[str, str]]:
    rows = _rows("dictionary.txt")
    to_spanish: dict[str, str] = {}
    to_english: dict[str, str] = {}
    for english, spanish in rows:
        to_spanish.setdefault(english, spanish)
        to_english.setdefault(spanish, english)
    return {Language.SPANISH: to_spanish, Language.ENGLISH: to_english}


def _calendar() -> dict[str, list[Pair]]:
    calendar: dict[str, list[Pair]] = {"day": [], "month": []}
    for kind, english, spanish in _rows("calendar.txt"):
        calendar[kind].append(_pair(english, spanish))
    return calendar


def _held_out_sums() -> frozenset[tuple[int, int]]:
    rng = random.Random(2024)
    pairs = [(a, b) for a in range(_MAX_OPERAND + 1) for b in range(_MAX_OPERAND + 1)]
    return frozenset(rng.sample(pairs, int(len(pairs) * _HELD_OUT_PAIRS)))


def load_world() -> World:
    """Read all tables."""
    return World(
        countries=[(_pair(r[0], r[1]), _pair(r[2], r[3])) for r in _rows("countries.txt")],
        colors=[(_pair(r[0], r[1]), _pair(r[2], r[3])) for r in _rows("colors.txt")],
        calendar=_calendar(),
        opposites={
            Language.ENGLISH: _opposites("opposites_en.txt"),
            Language.SPANISH: _opposites("opposites_es.txt"),
        },
        dictionary=_dictionary(),
        snippets=[Snippet(_pair(r[0], r[2]), _pair(r[1], r[3]), r[4]) for r in _rows("code.txt")],
        answers={r[0]: _pair(r[1], r[2]) for r in _rows("answers.txt")},
        phrasings={
            language: load_sections(WORLD / f"phrasings_{language}.txt") for language in Language
        },
        fillers={
            language: load_sections(WORLD / f"fillers_{language}.txt", "|") for language in Language
        },
        names=load_sections(WORLD / "names.txt", "|"),
        held_out_sums=_held_out_sums(),
    )
