"""The grammar of the files that two languages read: what each form takes, and that bash's readers are made from it."""

from __future__ import annotations

import pytest

from awsdirenv.cache.grammar import LATEST, Form, Line, fits, unfit
from bash_grammar import FOLDER, READERS, present

WORD = Line("W", 3, "a-c")
TAKEN = [
    (WORD, ["", "a", "abc"], ["d", "abca", "a\n", "A", "ä"]),
    (Line("R", 3, "a-c", required=True), ["a"], [""]),
    (Line("N", 3, "a-c-", Form.NAME), ["", "a-b", "a"], ["-a", "-"]),
    (
        Line("N", 12, form=Form.NUMBER),
        ["", "0", "10", str(LATEST)],
        ["01", "00", "-1", "1e3", "٣", str(LATEST + 1), "1 "],
    ),
    (
        Line("C", 42, form=Form.ANCHOR),
        ["", "01234567.22:1", "01234567.22:0"],
        ["01234567.22:01", "0123456:1", ":1", "x"],
    ),
    (Line("S", 4, form=Form.WORDS), ["", "a b", "é", "éé"], ["ééé", "\t", "\x7f", "a\0"]),
    (Line("T", 4, form=Form.TEXT), ["", "a\tb", "\r", "\udcff"], ["a\n", "a\0", "five5"]),
    (Line("E", 4, form=Form.SETTING), ["", "=", "=a=b"], ["a", "=\0", "=a\n"]),
]


@pytest.mark.parametrize(("line", "good", "bad"), TAKEN, ids=lambda value: getattr(value, "form", None))
def test_a_form_takes_just_its_own(line: Line, good: list[str], bad: list[str]) -> None:
    """A value is taken for its characters, its shape and its length in bytes."""
    assert [value for value in good if not line.takes(value)] == []
    assert [value for value in bad if line.takes(value)] == []


def test_a_file_has_all_lines_in_order() -> None:
    """A line that is missing, doubled, or at another's place spoils the file; the first bad value is told."""
    table = (WORD, Line("X", 3, "x"))
    assert fits(table, ["W", "X"], ["a", "x"])
    assert not fits(table, ["X", "W"], ["x", "a"])
    assert not fits(table, ["W"], ["a"])
    assert not fits(table, ["W", "X", "X"], ["a", "x", "x"])
    assert not fits(table, ["W", "X"], ["a", "y"])
    assert unfit(table, ["a", "y"]) == table[1]
    assert unfit(table, ["a", "x"]) is None


@pytest.mark.parametrize("name", READERS)
def test_the_extension_s_readers_are_made_from_it(name: str) -> None:
    """What bash takes is what the table says: after a change, run tests/support/bash_grammar.py."""
    part, wanted = READERS[name]
    assert present((FOLDER / part).read_text(encoding="utf-8")) == wanted
