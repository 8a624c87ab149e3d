"""Tables: aligned, within the terminal, the same in words as in colours; and rows that programs can take apart."""

from __future__ import annotations

import os
import pty
import re
import struct
import termios
from fcntl import ioctl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awsdirenv.reports.table import RED, Canvas, Column, tab_separated, table, width

PLAIN = Canvas()
COLUMNS = (Column("name", 6), Column("account"), Column("path", 8, keeps_end=True), Column("note", 4, may_go=True))
ROWS = [("alpha", "123456789012", "/home/me/a/long/path", "hello"), ("b", None, "/x", None)]


def lines(limit: int | None) -> list[str]:
    """Give the lines of the table within so many cells."""
    return table(COLUMNS, ROWS, Canvas(limit)).splitlines()


def test_columns_are_aligned() -> None:
    """Every column begins at one place, an empty cell says so, and no line ends in spaces or is drawn."""
    assert table(COLUMNS, ROWS, PLAIN) == (
        "name   account       path                  note\n"
        "alpha  123456789012  /home/me/a/long/path  hello\n"
        "b      -             /x                    -\n"
    )


def test_exactly_wide_enough() -> None:
    """A table that takes every cell is not shortened; with one less it is."""
    assert lines(48) == lines(None)
    assert lines(47)[1] == "alpha  123456789012  …ome/me/a/long/path  hello"


def test_what_is_too_wide_is_shortened() -> None:
    """The widest column that may gives first; of a path the end is kept, of all else the beginning."""
    assert lines(36)[1] == "alpha  123456789012  …ng/path  hello"
    long = table((Column("name", 6), Column("account")), [("a" * 20, "123456789012")], Canvas(22))
    assert long.splitlines()[1] == "aaaaaaa…  123456789012"


def test_what_may_go_goes_next() -> None:
    """Where shortening is not enough a column that may go is left out, and the others have the room."""
    assert lines(30) == ["name   account       path", "alpha  123456789012  …ong/path", "b      -             /x"]


def test_narrow_terminals_get_blocks() -> None:
    """Where a table cannot be, each row is a block of whole values with their names, and nothing is lost."""
    assert table(COLUMNS, ROWS, Canvas(20)) == (
        "name: alpha\naccount: 123456789012\npath: /home/me/a/long/path\nnote: hello\n\nname: b\npath: /x\n"
    )


def test_columns_without_values_are_left_out() -> None:
    """A column in which no row has anything is not shown; without rows there is nothing."""
    assert table(COLUMNS, [("a", None, "", None)], PLAIN) == "name\na\n"
    assert table(COLUMNS, [], PLAIN) == ""
    assert table(COLUMNS, [(None, None, None, None)], PLAIN) == ""


@pytest.mark.parametrize(
    ("text", "cells"),
    [("abc", 3), ("日本", 4), ("ｱ", 1), ("Ａ", 2), ("e\u0301", 1), ("é", 1), ("…", 1), ("😀", 2)],  # noqa: RUF001
)
def test_width(text: str, cells: int) -> None:
    """East Asian wide characters take two cells, combining ones none."""
    assert width(text) == cells


def test_wide_characters_are_aligned() -> None:
    """What follows a wide value begins in the same cell; a wide character is not cut in half."""
    made = table((Column("name", 4), Column("x")), [("日本語", "1"), ("e\u0301", "2")], PLAIN).splitlines()
    assert [width(line[: line.rindex(char)]) for line, char in zip(made, "x12", strict=True)] == [8, 8, 8]
    assert table((Column("n", 4),), [("日本語",)], Canvas(4)) == "n\n日…\n"


def test_nothing_steers_the_terminal() -> None:
    """Control characters, line breaks and what turns the direction of text become `?`."""
    made = table((Column("name"),), [("a\x1b]0;x\x07\n\u009b2J\u202e\udc80",)], PLAIN)
    assert made == "name\na?]0;x???2J??\n"


@given(
    st.lists(st.tuples(*[st.one_of(st.none(), st.text(max_size=30))] * 4), min_size=1, max_size=5), st.integers(1, 120)
)
def test_no_line_is_too_long(rows: list[tuple[str | None, ...]], limit: int) -> None:
    """Whatever the values and however wide the terminal, a table fits; only blocks may be longer than a line."""
    made = table(COLUMNS, rows, Canvas(limit)).splitlines()
    is_table = not any(re.match(r"(name|account|path|note): ", line) for line in made[:1])
    assert not is_table or all(width(line) <= limit for line in made)


def test_colour_repeats_what_words_say() -> None:
    """Without the escape sequences a coloured table is the plain one; the header is bold, and values as asked."""
    columns = (Column("state", colour=lambda value: RED if value == "over" else ""), Column("x"))
    rows = [("over", "1"), ("fine", "2")]
    coloured = table(columns, rows, Canvas(None, is_coloured=True))
    assert coloured.splitlines()[1] == "\x1b[31mover\x1b[0m   1"
    assert coloured.startswith("\x1b[1mstate\x1b[0m")
    assert re.sub(r"\x1b\[[0-9]*m", "", coloured) == table(columns, rows, PLAIN)
    assert table(columns, rows, Canvas(3, is_coloured=True)).startswith("state: \x1b[31mover\x1b[0m\n")


def canvas(env: dict[str, str], columns: int = 50) -> Canvas:
    """Look at a terminal with so many columns."""
    master, slave = pty.openpty()
    try:
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        return Canvas.of({"TERM": "xterm", **env}, slave)
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("env", "columns", "expected"),
    [
        ({}, 50, Canvas(50, is_coloured=True)),
        ({}, 0, Canvas(80, is_coloured=True)),
        ({"COLUMNS": "33"}, 50, Canvas(33, is_coloured=True)),
        ({"COLUMNS": "wide"}, 50, Canvas(50, is_coloured=True)),
        ({"COLUMNS": "-3"}, 50, Canvas(50, is_coloured=True)),
        ({"COLUMNS": ""}, 50, Canvas(50, is_coloured=True)),
        ({"COLUMNS": "0"}, 50, Canvas(80, is_coloured=True)),
        ({"NO_COLOR": "1"}, 50, Canvas(50)),
        ({"NO_COLOR": ""}, 50, Canvas(50, is_coloured=True)),
        ({"TERM": "dumb"}, 50, Canvas(50)),
        ({"TERM": ""}, 50, Canvas(50)),
    ],
)
def test_the_terminal_decides(env: dict[str, str], columns: int, expected: Canvas) -> None:
    """The width is the terminal's, or COLUMNS; colours are there unless NO_COLOR or TERM speak against them."""
    assert canvas(env, columns) == expected


def test_no_terminal_no_limit() -> None:
    """A pipe, and what is closed, has neither a width nor colours, whatever COLUMNS says."""
    reader, writer = os.pipe()
    try:
        assert Canvas.of({"COLUMNS": "20", "TERM": "xterm"}, writer) == Canvas(None)
    finally:
        os.close(reader)
        os.close(writer)
    assert Canvas.of({}, writer) == Canvas(None)


def test_rows_for_programs() -> None:
    """Every row has all columns, values are exact, and no value can end a column or a row."""
    rows = [("日本 $(x) 'q'\u202e", None, "x" * 300), ("a\tb\nc\x1b\x7f\x9b", "", "-")]
    assert tab_separated(rows) == f"日本 $(x) 'q'\u202e\t\t{'x' * 300}\na?b?c???\t\t-\n"
    assert tab_separated([]) == ""
