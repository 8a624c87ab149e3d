"""Tables for people: aligned, no wider than the terminal, without lines, so that they read well aloud and in a log.

What is too wide is shortened, then left out, where a column allows it; where that is not enough each row becomes a
block of `name: value` lines. Colour only repeats what a word says. Pure, but for the width of the terminal.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from awsdirenv.records import Record
from awsdirenv.system.text import printable

_GAP = 2  # spaces between columns
_USUAL_WIDTH = 80  # of a terminal that does not know its own
_NOTHING = "-"  # an empty cell would leave a listener guessing which column comes next
_ELLIPSIS = "…"
BOLD, RED, GREEN, YELLOW = "1", "31", "32", "33"

Row = Sequence[str | None]


class Canvas(Record):
    """Where a table goes. `width` is in cells of a terminal; None where nothing limits it."""

    width: int | None = None
    is_coloured: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str], descriptor: int = 1) -> Canvas:
        """Look at what is behind a descriptor. Only a terminal has a width and colours; COLUMNS is its width if set."""
        try:
            if not os.isatty(descriptor):
                return cls()
            wide = environ.get("COLUMNS", "")
            width = int(wide) if wide.isascii() and wide.isdigit() else os.get_terminal_size(descriptor).columns
        except (OSError, ValueError):
            return cls()
        is_plain = bool(environ.get("NO_COLOR")) or environ.get("TERM", "") in ("", "dumb")
        return cls(width or _USUAL_WIDTH, not is_plain)


class Column(Record):
    """One column. `least` is to how many cells it may be shortened, 0 for never; of a path the end is kept.

    One that `may_go` is left out where there is no room. `colour` gives the colour of a value (RED, …), or nothing.
    """

    title: str
    least: int = 0
    keeps_end: bool = False
    may_go: bool = False
    colour: Callable[[str], str] | None = None


def _stage_colour(stage: str) -> str:
    # The one that nobody wants to be in by mistake.
    return RED if stage.lower().startswith("prod") else ""


STAGE = Column("stage", 8, colour=_stage_colour)


def table(columns: Sequence[Column], rows: Sequence[Row], canvas: Canvas) -> str:
    """Give the lines of a table with a header. A column without any value is left out; no rows are no text."""
    cells = [[printable(value or "") for value in row] for row in rows]
    used = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    if not used:
        return ""
    for wanted in (used, [index for index in used if not columns[index].may_go]):
        shown = [columns[index] for index in wanted]
        widths = _fitted(shown, [_natural_width(columns[i], [row[i] for row in cells]) for i in wanted], canvas.width)
        if widths is not None:
            return _aligned(shown, [[row[index] for index in wanted] for row in cells], widths, canvas)
    return _blocks([columns[index] for index in used], [[row[index] for index in used] for row in cells], canvas)


def tab_separated(rows: Sequence[Row]) -> str:
    """Give rows for programs: nothing is shortened, and nothing can be taken for another column or row."""
    return "".join("\t".join(_one_field(value or "") for value in row) + "\n" for row in rows)


def width(text: str) -> int:
    """Count the cells that a text takes in a terminal: two for East Asian wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _one_field(value: str) -> str:
    return "".join("?" if unicodedata.category(char) == "Cc" else char for char in value)


def _natural_width(column: Column, values: Sequence[str]) -> int:
    return max(width(text) for text in (column.title, *(value or _NOTHING for value in values)))


def _fitted(columns: Sequence[Column], natural: Sequence[int], limit: int | None) -> list[int] | None:
    """Take from the widest column that may give until all fit; None where that is never."""
    widths = list(natural)
    too_much = sum(widths) + _GAP * (len(widths) - 1) - limit if limit else 0
    while too_much > 0:
        giving = [index for index, column in enumerate(columns) if column.least and widths[index] > column.least]
        if not giving:
            return None
        widest = max(giving, key=lambda index: widths[index])
        widths[widest] -= 1
        too_much -= 1
    return widths


def _aligned(columns: Sequence[Column], cells: Sequence[Row], widths: Sequence[int], canvas: Canvas) -> str:
    header = [(column.title, BOLD) for column in columns]
    lines = [header, *([(value or "", _colour(columns[i], value)) for i, value in enumerate(row)] for row in cells)]
    text = ""
    for line in lines:
        parts = []
        for column, (value, colour), wide in zip(columns, line, widths, strict=True):
            short = _shortened(value or _NOTHING, wide, keeps_end=column.keeps_end)
            parts.append(_painted(short, colour, canvas) + " " * (wide - width(short)))
        text += (" " * _GAP).join(parts).rstrip() + "\n"
    return text


def _blocks(columns: Sequence[Column], cells: Sequence[Row], canvas: Canvas) -> str:
    blocks = []
    for row in cells:
        pairs = [(column, value) for column, value in zip(columns, row, strict=True) if value]
        blocks.append("".join(f"{c.title}: {_painted(value, _colour(c, value), canvas)}\n" for c, value in pairs))
    return "\n".join(block for block in blocks if block)


def _shortened(text: str, limit: int, *, keeps_end: bool) -> str:
    if width(text) <= limit:
        return text
    kept, left = "", limit - width(_ELLIPSIS)
    for char in reversed(text) if keeps_end else text:
        left -= _cells(char)
        if left < 0:
            break
        kept += char
    return _ELLIPSIS + kept[::-1] if keeps_end else kept + _ELLIPSIS


def _colour(column: Column, value: str | None) -> str:
    return column.colour(value) if column.colour and value else ""


def _painted(text: str, colour: str, canvas: Canvas) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and canvas.is_coloured else text
