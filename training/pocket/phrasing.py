"""Sections of phrasings, and how one phrasing is drawn from them."""

import random
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")


class Language(StrEnum):
    """The two languages of the world."""

    ENGLISH = "en"
    SPANISH = "es"

    @property
    def other(self) -> "Language":
        """The language that this one is not."""
        return Language.SPANISH if self is Language.ENGLISH else Language.ENGLISH


class Split(StrEnum):
    """What the model is trained on, and what it is judged by."""

    TRAIN = "train"
    HELD_OUT = "held_out"


@dataclass(frozen=True)
class Section:
    """Lines of one section, by split."""

    train: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)

    def lines(self, split: Split) -> list[str]:
        """The lines of one split."""
        return self.held_out if split is Split.HELD_OUT else self.train


def load_sections(path: Path, separator: str | None = None) -> dict[str, Section]:
    """Read ``@name`` sections; a line that starts with ``!`` belongs to the held-out split.

    With a ``separator`` each line is a list of values, else each line is one value.
    """
    sections: dict[str, Section] = {}
    current = Section()
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            current = sections.setdefault(line[1:].strip(), Section())
            continue
        target = current.held_out if line.startswith("!") else current.train
        text = line.removeprefix("!")
        values = text.split(separator) if separator else [text]
        target.extend(value.strip() for value in values)
    return sections


def expand(template: str, rng: random.Random) -> str:
    """Choose one of each ``[a|b]``, innermost first."""
    while match := _ALTERNATIVES.search(template):
        choice = rng.choice(match.group(1).split("|"))
        template = template[: match.start()] + choice + template[match.end() :]
    return template
