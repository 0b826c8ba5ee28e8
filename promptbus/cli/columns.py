"""Rows in columns that fit the terminal: what matters most is never cut or hidden."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

GAP = 2

Cell = Text | str


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    ``hide`` orders what goes when the terminal is narrow: the highest first, 0 never.
    ``min_width`` is how many cells a long value may be cut to; None means that it is never cut.
    """

    heading: str = ""
    hide: int = 0
    min_width: int | None = None
    right: bool = False


def lay_out(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    width: int,
    *,
    heading: bool = True,
) -> list[Text]:
    """The lines of the table, each at most ``width`` cells wide unless what may not go is wider."""
    texts = [[_text(cell) for cell in row] for row in rows]
    if heading:
        texts.insert(0, [Text(column.heading, style="dim") for column in columns])
    natural = [
        max((row[place].cell_len for row in texts), default=0) for place in range(len(columns))
    ]
    shown = _shown(columns, natural, width)
    widths = _widths(columns, natural, shown, width)
    return [_line([row[place] for place in shown], columns, shown, widths) for row in texts]


def _shown(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    shown = list(range(len(columns)))
    while _total([_least(columns[place], natural[place]) for place in shown]) > width:
        hideable = [place for place in shown if columns[place].hide]
        if not hideable:
            break
        shown.remove(max(hideable, key=lambda place: columns[place].hide))
    return shown


def _widths(
    columns: Sequence[Column], natural: Sequence[int], shown: Sequence[int], width: int
) -> list[int]:
    widths = [natural[place] for place in shown]
    for index in reversed(range(len(shown))):
        excess = _total(widths) - width
        if excess > 0:
            least = _least(columns[shown[index]], widths[index])
            widths[index] = max(least, widths[index] - excess)
    return widths


def _line(
    cells: Sequence[Text], columns: Sequence[Column], shown: Sequence[int], widths: Sequence[int]
) -> Text:
    line = Text(no_wrap=True, overflow="ignore", end="")
    for index, (cell, place, cell_width) in enumerate(zip(cells, shown, widths, strict=True)):
        cell.truncate(cell_width, overflow="ellipsis")
        padding = " " * (cell_width - cell.cell_len)
        if columns[place].right:
            line.append(padding)
        line.append_text(cell)
        if index < len(shown) - 1:
            line.append(("" if columns[place].right else padding) + " " * GAP)
    line.rstrip()
    return line


def _least(column: Column, width: int) -> int:
    return width if column.min_width is None else min(column.min_width, width)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(0, len(widths) - 1)


def _text(cell: Cell) -> Text:
    return cell.copy() if isinstance(cell, Text) else Text(cell)
