"""The outline of a script: which commands it has, what they stand in, and where they end."""

from __future__ import annotations

import pytest

from awsdirenv.config.bash_outline import outline
from awsdirenv.config.bash_text import inside_substitution


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("a 1; b && c | d", ["a 1", "b &&", "&& c |", "| d"]),
        ("if a; then b; elif c; then d; else e; fi; f", [*(f"{x} (a condition)" for x in "abcde"), "f"]),
        ("case $x in\n a|b) c ;;\n (d) e ;;\nesac\nf", ["case $x in (a condition)", "a | (a condition)",
                                                         "c (a condition)", "e (a condition)", "f"]),
        ("for i in $(a); do b; done\nc", ["for i in $(a) (a loop)", "b (a loop)", "c"]),
        ("while a; do b; done; c", ["a (a loop)", "b (a loop)", "c"]),
        ("( a )\nb", ["a (a subshell)", "b"]),
        ("{ a; }; b", ["a (braces)", "b"]),
        ("f() { a; }; b", ["a (a function f)", "b"]),
        ("function f { a; }\nb", ["a (a function f)", "b"]),
        ("function f() {\n if a; then b; fi\n}\nc", ["a (a condition f)", "b (a condition f)", "c"]),
        ("a <<E\nb\nE\nc", ["a <<E", "c"]),
        ("a >f 2>&1 # b\nc", ["a >f 2>&1", "c"]),
        ("A=1 B=2 a\nA=$(b c)", ["A=1 B=2 a", "A=$(b c)"]),
        ("[[ a && b ]] || c", ["[[ a && b ]] ||", "|| c"]),
        ("((a << 2)) && b", ["&& b"]),
        ("a \\\n  b\nc", ["a \\\n  b", "c"]),
    ],
)  # fmt: skip
def test_commands(script: str, commands: list[str]) -> None:
    """Each simple command is found whole, with the operators at its sides and what it stands in."""
    whole = outline(script)
    assert whole.is_whole
    shown = []
    for one in whole.statements:
        where = " ".join(filter(None, (one.where, one.function)))
        shown.append(" ".join(filter(None, (one.before, whole.raw(one), one.after, f"({where})" if where else ""))))
    assert shown == commands


@pytest.mark.parametrize("script", ["a 'b", 'a "b', "a $(b", "if a; then b", "a; }", "f() {", "a; fi", "( a", "a )"])
def test_what_is_not_closed(script: str) -> None:
    """A quote or a compound command that is not closed is noticed."""
    assert not outline(script).is_whole


def test_functions() -> None:
    """A function is known by its name, with all of its text."""
    text = "a() { b; }\nfunction c {\n  d\n}\ne\n"
    found = {name: text[one.start : one.end] for name, one in outline(text).functions.items()}
    assert found == {"a": "a() { b; }", "c": "function c {\n  d\n}"}


@pytest.mark.parametrize(
    ("word", "inside"),
    [
        ("$(a b)", "a b"),
        ('"$(a "b")"', 'a "b"'),
        ("`a b`", "a b"),
        ('"`a`"', "a"),
        ("<(a b)", "a b"),
        ("$(a)$(b)", None),
        ("$(a)-b", None),
        ("$((1))", None),
        ("$a", None),
        ("$(a", None),
    ],
)
def test_substitutions(word: str, inside: str | None) -> None:
    """A word that is one substitution, and nothing else, has a script in it."""
    assert inside_substitution(word) == inside
