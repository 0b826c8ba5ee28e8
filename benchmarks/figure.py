"""One measured figure beside what it is held against, and the table of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

Met = Literal["met", "not met", "skipped", "for information"]

_STYLES: dict[Met, str] = {
    "met": "green",
    "not met": "bold red",
    "skipped": "yellow",
    "for information": "dim",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """``beside`` is the floor or peer in words, ``mark`` what was promised."""

    name: str
    value: str
    beside: str = ""
    ratio: str = ""
    mark: str = ""
    met: Met = "for information"


def judged(*, holds: bool) -> Met:
    """Whether a promise was kept."""
    return "met" if holds else "not met"


def table_of(figures: Sequence[Figure]) -> Table:
    """The figures, one a line."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("figure", "measured", "floor or peer", "ratio", "mark", ""):
        table.add_column(heading)
    for figure in figures:
        table.add_row(
            Text(figure.name, style="bold" if figure.mark else ""),
            figure.value,
            Text(figure.beside, style="dim"),
            figure.ratio,
            figure.mark,
            Text(figure.met if figure.mark else "", style=_STYLES[figure.met]),
        )
    return table
