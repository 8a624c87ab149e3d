"""docs/bench.svg: the figures of a run of `make bench ARGS=--peers`, drawn as the other pictures are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from peers import Figures
from picture import COLUMNS, picture
from timing import SHELLS_AT_ONCE

_TIME, _NOTE = 9, 20  # columns
_NAME = 58  # columns of the longest name
_BAR = COLUMNS - len(f"  {'':{_NAME}} {'':{_TIME}} {'':{_NOTE}} ")
_OURS, _THEIRS, _OVER = "#1a5fd0", "#6e7681", "#b3400f"
_BACKGROUND = re.compile(r'(<rect fill="#\w+" x="[\d.]+" )y="([\d.]+)"( width="[\d.]+" )height="([\d.]+)"')
_WITHIN_BUDGET = 0.8  # of a bar's columns, where the mark of the budget stands


@dataclass(frozen=True)
class Row:
    """One line of the table: a ratio with its budget, both in multiples of `unit`, and the milliseconds of both."""

    name: str
    ratio: float
    budget: float
    unit: str
    cpu: float | None = None  # the same ratio of the processor's time
    ms: float = 0
    unit_ms: float = 0


def draw(rows: Sequence[Row], figures: Sequence[Figures]) -> str:
    """Make the picture: first us and the others, then what we cost, against the budgets."""
    text = Text()
    floor = next(row.unit_ms for row in rows if row.name.startswith("warm"))
    static = Figures("static exports, without any AWS", floor, 1, 0, 0, 0, 0)
    _compare(text, "Entering a directory, its credentials at hand", [static, *figures], lambda each: each.warm)
    _compare(text, "Entering it for the first time, nothing stored", figures, lambda each: each.cold)
    title = (
        f"{SHELLS_AT_ONCE} shells enter it at once, nothing stored: until the last one is done, with the calls of STS"
    )
    _compare(text, title, figures, lambda each: each.crowd, _calls)
    _title(text, "What awsdirenv costs, in multiples of something that everybody has; the line is the budget")
    for unit, group in groupby(sorted(rows, key=lambda row: _order(rows, row)), lambda row: row.unit):
        members = list(group)
        text.append(f"in multiples of {unit}, {_time(members[0].unit_ms).strip()}\n", "dim")
        for row in members:
            _budget(text, row)
    text.right_crop(1)
    svg = picture(text, "awsdirenv: make bench ARGS=--peers", "bench")
    return _BACKGROUND.sub(_as_bar, svg)


def _as_bar(background: re.Match[str]) -> str:
    """Make a bar of the background of a whole line: lower than the line, so that neighbours do not run together."""
    y, height = float(background[2]), float(background[4])
    return f'{background[1]}y="{y + 4:g}"{background[3]}height="{height - 8:g}"'


def _calls(each: Figures) -> str:
    calls = f"{each.calls} call{'s' if each.calls != 1 else ''}"
    return calls if each.served == SHELLS_AT_ONCE else f"{calls}, {each.served} served"


def _order(rows: Sequence[Row], row: Row) -> int:
    return next(number for number, other in enumerate(rows) if other.unit == row.unit)


def _compare(
    text: Text,
    title: str,
    figures: Sequence[Figures],
    value: Callable[[Figures], float],
    note: Callable[[Figures], str] = lambda _: "",
) -> None:
    _title(text, title)
    most = max(map(value, figures))
    for each in sorted(figures, key=value):
        is_ours = each.name.startswith("awsdirenv")
        text.append(f"  {each.name:{_NAME}} ", "bold white" if is_ours else "")
        text.append(f"{_time(value(each))} {note(each):{_NOTE}} ")
        text.append(" " * max(1, round(value(each) / most * _BAR)), f"on {_OURS if is_ours else _THEIRS}")
        text.append("\n")
    text.append("\n")


def _budget(text: Text, row: Row) -> None:
    mark = round(_BAR * _WITHIN_BUDGET)
    length = min(_BAR, max(1, round(row.ratio / row.budget * mark)))
    color = _OVER if row.ratio > row.budget else _OURS
    bar = Text(" " * _BAR)
    bar.plain = bar.plain[:mark] + "│" + bar.plain[mark + 1 :]
    bar.stylize("#ffffff", mark, mark + 1)
    bar.stylize(f"on {color}", 0, length)
    text.append(f"  {row.name:{_NAME}} {_time(row.ms)} {f'{row.ratio:.2f} of {row.budget:.2f}':{_NOTE}} ")
    bar.rstrip_end(max(length, mark + 1))
    text.append_text(bar)
    text.append("\n")


def _title(text: Text, title: str) -> None:
    text.append(f"{title}\n", "bold white")


def _time(milliseconds: float) -> str:
    """Give a time in nine columns, with two digits that count."""
    if milliseconds >= 10000:
        return f"{milliseconds / 1e3:6.1f} s "
    digits = 0 if milliseconds >= 100 else 1 if milliseconds >= 1 else 3
    return f"{milliseconds:6.{digits}f} ms"
