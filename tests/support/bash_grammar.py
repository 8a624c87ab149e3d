"""The readers in direnvrc.d, made from the tables of awsdirenv/cache/grammar.py: run this file to write them anew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from awsdirenv.cache.grammar import LATEST, LIVE, MODE, NAME, SNAPSHOT, Form, Line

FOLDER = Path(__file__).resolve().parents[2] / "direnvrc.d"
_FRAME = ("AWSDIRENV_VERSION=1", "AWSDIRENV_END=1")
# Variables that have another name than their line.
_OTHERS = {"config": "stamps[0]", "credentials": "stamps[1]", "context": "made_in"}


def variable(line: Line, prefix: str) -> str:
    """Give the variable that gets a line's value."""
    name = re.sub("^aws(direnv)?_", "", line.name.lower())
    return prefix + _OTHERS.get(line.name.lower().removeprefix("awsdirenv_"), name)


def value_of(name: str) -> str:
    """Give what expands to the value of a variable, or of a positional parameter."""
    return f"${{{name}}}" if "[" in name or (name.isdigit() and len(name) > 1) else f"${name}"


def is_number(name: str) -> list[str]:
    """Say in bash that a variable is a number, or empty."""
    return [f"{value_of(name)} != *[!0-9]*", f"{value_of(name)} != 0?*"]


def conditions(line: Line, name: str) -> tuple[list[str], list[str]]:
    """Say in bash what `Line.takes` says, for a value in a variable: conditions of `[[ ]]`, and of `(( ))`.

    bash keeps what stands in `(( ))` as a text, so that costs little where it is not reached.
    """
    value = value_of(name)
    sizes = [f"${{#{name}}} <= {line.longest}"]
    if line.form is Form.NUMBER:
        found = is_number(name)
        if line.longest == len(str(LATEST)):
            sizes.append(f"{value if line.required else f'${{{name}:-0}}'} <= {LATEST}")
    elif line.form is Form.ANCHOR:
        start, started = "_ad_start", "_ad_started"
        inside = [f'${start}:${started} == "{value}"', f"${start} != *[!0-9a-f.]*", f"${started}", *is_number(started)]
        found = [f"(! {value} || ({' && '.join(inside)}))"]
        sizes = [f"${{#{name}}} * (${{#{start}}} < 10 || ${{#{start}}} > 29 || ${{#{started}}} > 12) == 0"]
    else:
        bad = {
            Form.TEXT: [],
            Form.WORDS: [f"{value} != *[[:cntrl:]]*"],
            Form.SETTING: [f"(! {value} || {value} == =*)"],
        }
        # A regular expression costs more to begin with, and a fifth for each character. With LC_ALL=C both see bytes.
        regular, glob = f"! {value} =~ [^{line.characters}]", f"{value} != *[!{line.characters}]*"
        found = bad.get(line.form, [regular if line.longest > 10_000 else glob])
        found += [f"{value} != -*"] if line.form is Form.NAME else []
    return [value, *found] if line.required else found, sizes


def commands(table: Sequence[Line], prefix: str, *, framed: bool) -> str:
    """Give commands that take lines apart, and succeed where they are those of the table. IFS begins with a space.

    The values become its positional parameters: bash reads and expands `$2` in a third of the time.
    """
    before, first = ("", 2) if framed else ("# ", 1)
    names = [f"{before}{line.name}=" for line in table]
    parts, tests, sizes = [], [], []
    if framed:
        ends = [text.partition("=") for text in _FRAME]
        names = [ends[0][0] + "=", *names, ends[1][0] + "="]
        tests = [f"{value_of(at)} == {text}" for at, (_, _, text) in zip(("1", str(len(table) + 2)), ends, strict=True)]
    for number, line in enumerate(table, first):
        at = str(number)
        parts.append(f"{variable(line, prefix)}={value_of(at)}")
        if line.form is Form.ANCHOR:
            parts += [f"_ad_start=${{{at}%:*}}", f"_ad_started=${{{at}##*:}}"]
        found, limits = conditions(line, at)
        tests.append(" && ".join(found))
        sizes.append(" && ".join(limits))
    assigned = " \\\n    ".join(" ".join(parts[at : at + 4]) for at in range(0, len(parts), 4))
    tested = " &&\n    ".join(test for test in tests if test)
    measured = " && ".join(sizes)
    told = f'${{_ad_lines[*]/=*/=}} == "{" ".join(names)}"'
    return f'  set -- "${{_ad_lines[@]#*=}}"\n  {assigned}\n  [[ {told} &&\n    {tested} ]] &&\n    (({measured}))'


def function(name: str, table: Sequence[Line], prefix: str, *, framed: bool) -> str:
    """Give a function of these commands."""
    return f"{name}() {{\n  local IFS=' '\n{commands(table, prefix, framed=framed)}\n}}\n"


READERS = {
    "snapshot": ("snapshot.sh", commands(SNAPSHOT, "_ad_", framed=True) + " || return 1\n"),
    "_awsdirenv_take_name_lines": (
        "context.sh",
        function("_awsdirenv_take_name_lines", NAME, "_ad_name_", framed=True),
    ),
    "_awsdirenv_take_mode_lines": (
        "mode.sh",
        function("_awsdirenv_take_mode_lines", MODE, "_ad_mode_", framed=True).replace("_ad_mode_mode", "_ad_mode"),
    ),
    "_awsdirenv_take_live_lines": ("leave.sh", function("_awsdirenv_take_live_lines", LIVE, "_ad_live_", framed=False)),
}
_MADE = " by tests/support/bash_grammar.py.\n"


def present(text: str) -> str:
    """Give what a part of the extension has of this."""
    start = text.index(_MADE) + len(_MADE)
    ends = [text.find(end, start) + len(end) for end in ("\n}\n", " || return 1\n") if end in text[start:]]
    return text[start : min(ends)]


def main() -> None:
    """Write them into the parts that have them."""
    for part, wanted in READERS.values():
        text = (FOLDER / part).read_text(encoding="utf-8")
        (FOLDER / part).write_text(text.replace(present(text), wanted), encoding="utf-8")


if __name__ == "__main__":
    main()
