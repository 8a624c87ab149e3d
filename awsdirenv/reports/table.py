"""Tables for people: aligned, no wider than the terminal, and without lines, for screen readers and logs.

A table that is too wide is shortened, then columns are left out, if they allow that. If it is still too wide, each row
becomes a block of `name: value` lines. Colour only repeats what a word says.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from awsdirenv.records import Record
from awsdirenv.system.text import printable

_GAP = 2  # spaces between columns
_USUAL_WIDTH = 80  # for a terminal that does not know its width
_NOTHING = "-"  # with an empty cell, a user of a screen reader could not tell which column comes next
_ELLIPSIS = "…"
BOLD, RED, GREEN, YELLOW = "1", "31", "32", "33"

Row = Sequence[str | None]


class Canvas(Record):
    """What a table is written to. `width` is in cells of a terminal; None: there is no limit."""

    width: int | None = None
    is_coloured: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str], descriptor: int = 1) -> Canvas:
        """Describe what a descriptor writes to. Only a terminal has a width and colours. COLUMNS wins if it is set."""
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
    """One column. `least` is the width in cells that it may be shortened to, 0 for never.

    With `keeps_end` the end of a value is kept, as for paths. A column that `may_go` is left out if there is no room.
    `colour` returns the colour of a value (RED, …), or "".
    """

    title: str
    least: int = 0
    keeps_end: bool = False
    may_go: bool = False
    colour: Callable[[str], str] | None = None


def _stage_colour(stage: str) -> str:
    # Production is the stage that nobody wants to be in by mistake.
    return RED if stage.lower().startswith("prod") else ""


STAGE = Column("stage", 8, colour=_stage_colour)


def table(columns: Sequence[Column], rows: Sequence[Row], canvas: Canvas) -> str:
    """Return a table with a header. A column without any value is left out. Without rows the text is empty."""
    cells = [[printable(value or "") for value in row] for row in rows]
    used = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    if not used:
        return ""
    for indexes in (used, [index for index in used if not columns[index].may_go]):
        shown = [columns[index] for index in indexes]
        widths = _fitted(shown, [_natural_width(columns[i], [row[i] for row in cells]) for i in indexes], canvas.width)
        if widths is not None:
            return _aligned(shown, [[row[index] for index in indexes] for row in cells], widths, canvas)
    return _blocks([columns[index] for index in used], [[row[index] for index in used] for row in cells], canvas)


def tab_separated(rows: Sequence[Row]) -> str:
    """Return rows for programs. Nothing is shortened, and no value can contain a tab or a new line."""
    return "".join("\t".join(_one_field(value or "") for value in row) + "\n" for row in rows)


def width(text: str) -> int:
    """Return the width of a text in terminal cells: East Asian characters may take two, combining ones none."""
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
    """Return the widths of the columns so that they fit: the widest is shortened first. None: they cannot fit."""
    widths = list(natural)
    too_much = sum(widths) + _GAP * (len(widths) - 1) - limit if limit else 0
    while too_much > 0:
        shrinkable = [index for index, column in enumerate(columns) if column.least and widths[index] > column.least]
        if not shrinkable:
            return None
        widest = max(shrinkable, key=lambda index: widths[index])
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
    kept, cells_left = "", limit - width(_ELLIPSIS)
    for char in reversed(text) if keeps_end else text:
        cells_left -= _cells(char)
        if cells_left < 0:
            break
        kept += char
    return _ELLIPSIS + kept[::-1] if keeps_end else kept + _ELLIPSIS


def _colour(column: Column, value: str | None) -> str:
    return column.colour(value) if column.colour and value else ""


def _painted(text: str, colour: str, canvas: Canvas) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and canvas.is_coloured else text
