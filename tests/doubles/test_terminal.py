"""The terminal of the tests answers a program that asks what it is, as fish does."""

from __future__ import annotations

import pytest

from terminal import Terminal

_ASK = "stty raw -echo; {}; head -c 9 | od -c; echo; echo over"


@pytest.mark.parametrize("asking", [r"printf '\033[0c'", r"printf '\033[c'", r"printf '\033['; sleep 0.2; printf 0c"])
def test_it_says_what_it_is(asking: str) -> None:
    """Also where the question comes in two pieces; there is one answer."""
    child = Terminal("sh", ["-c", _ASK.format(asking)], encoding="utf-8", timeout=60)
    child.expect_exact("over")
    assert "".join(str(child.before).split()[1:-1]).startswith(r"033[?62;22c")
    child.close(force=True)


def test_other_questions_are_left_alone() -> None:
    """What only resembles the question gets no answer."""
    child = Terminal("sh", ["-c", r"printf '\033[10c\033[1;0c\033[>0c'; echo over; cat"], encoding="utf-8", timeout=60)
    child.expect_exact("over\r\n")
    child.send("mine\r")
    child.expect_exact("mine\r\n")
    assert child.before == ""
    child.close(force=True)
