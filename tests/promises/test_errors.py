"""Errors and docs/troubleshooting.md: every message has its heading, every heading its message, and all read alike."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from awsdirenv import errors
from awsdirenv.cli.output import report
from catalogue import CLASSES, PLACEHOLDER, ROOT, hook_sites, modules, placeholders, written
from documents import parsed
from recorders import RUN, recorded, recorders
from shells import SHELLS
from world import World

EXTENSION = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "direnvrc.d").glob("*.sh")))
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"

# What the extension says itself has no class; neither have warnings.
EXTENSION_SECTION, WARNING_SECTION = "extension", "warning"
# Raised and always caught: the credentials that still hold are kept instead (`Refresher._obtain`).
NEVER_PRINTED = {("person-needed", "the MFA session is over")}
PERSON, LOCK = errors.EXIT_PERSON_NEEDED, errors.EXIT_LOCK_TIMEOUT
EXIT_CODES = {
    "usage": errors.EXIT_USAGE,
    "profile-name": errors.EXIT_USAGE,
    "person-needed": PERSON,
    "sign-in-needed": PERSON,
    "sign-in-failed": PERSON,
    "cancelled": PERSON,
    "confirmation-needed": PERSON,
    "later-line": PERSON,
    "lock-timeout": LOCK,
    "command-not-runnable": errors.EXIT_NOT_RUNNABLE,
    "command-not-found": errors.EXIT_NO_COMMAND,
}

Line = tuple[str, str]  # section, text


def calls(tree: ast.Module, names: set[str]) -> Iterator[tuple[str, list[ast.expr]]]:
    """Give the arguments of all calls of functions of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node.func.id, node.args


def python_lines(which: int) -> set[Line]:
    """Collect what the modules say: all messages (0) or all hints (1), by the kind of error."""
    found: set[Line] = set()
    for tree in modules().values():
        for name, arguments in calls(tree, set(CLASSES)):
            found |= {(CLASSES[name].kind, text) for text in written(arguments[which])}
        for _, pair in calls(tree, {"warn"}):
            # What is only handed on was collected where it was made.
            found |= {(WARNING_SECTION, text) for text in written(pair[which]) if text != PLACEHOLDER}
    return found


def shell_lines(text: str, word: str) -> set[str]:
    """Collect what a shell script says with a word such as `error`, each variable part as a placeholder."""
    pair = r' (?:\\\n +)?"([^"\n]*)" (?:\\\n +)?"((?:\\.|[^"\\\n])*)"'
    refused, warned = (re.findall(name + pair, text) for name in ("_awsdirenv_refuse(?:_line)?", "_awsdirenv_warn"))
    for found, name in ((refused, "_awsdirenv_refuse(?:_line)?"), (warned, "_awsdirenv_warn")):
        assert len(found) == len(re.findall(rf"{name} (?=\S)", text)), f"not every {name} is understood"
    # `_awsdirenv_refuse_line` hands on what its callers say.
    refused = [(message, hint) for message, hint in refused if message != "$1"]
    lines = {"error": refused, "warning": warned, "hint": [*refused, *warned]}[word]
    return {placeholders(line[word == "hint"]) for line in lines}


def all_messages() -> set[Line]:
    """Collect all that can be printed behind `error:` and `warning:`, by section."""
    found = python_lines(0) - NEVER_PRINTED
    script = EXTENSION
    in_python = {text for _, text in found}
    found |= {(EXTENSION_SECTION, text) for text in shell_lines(script, "error") - in_python}
    found |= {(WARNING_SECTION, text) for text in shell_lines(script, "warning")}
    # What the shells say: at a prompt, and where fish evaluates an export.
    found |= {(WARNING_SECTION, text) for site in hook_sites() for text in site.messages}
    return found


def headings() -> list[Line]:
    """Collect the headings of messages in the document, by section; a word behind the message tells two apart."""
    found, section = [], ""
    for line in TROUBLESHOOTING.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("### `"):
            found.append((section, re.sub(r"^### (`+) ?(.+?) ?\1(?: \(.*\))?$", r"\2", line)))
    return found


def test_every_message_has_its_heading() -> None:
    """Whoever searches the document for what they read finds it, below the kind of the error."""
    assert all_messages() - set(headings()) == set()


def test_every_heading_has_its_message() -> None:
    """The document explains nothing that cannot be printed any more, and nothing twice."""
    assert set(headings()) - all_messages() == set()
    assert len(headings()) == len(set(headings()))


def test_every_kind_has_its_section() -> None:
    """Each class has a kind of its own, and each kind a section."""
    kinds = [value.kind for value in CLASSES.values()]
    assert len(kinds) == len(set(kinds))
    sections = re.findall(r"^## (.+)$", TROUBLESHOOTING.read_text(encoding="utf-8"), re.MULTILINE)
    assert {*kinds, EXTENSION_SECTION, WARNING_SECTION} - set(sections) == set()


def test_every_class_is_raised() -> None:
    """No class is left over from something that is gone, but the one that only others are made from."""
    used = {name for tree in modules().values() for name, _ in calls(tree, set(CLASSES))}
    assert set(CLASSES) - used == set()


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_exit_codes(name: str) -> None:
    """2 is the command line, 3 a person must act, 4 the wait for a lock, shells' own for exec; all else is 1."""
    assert CLASSES[name].exit_code == EXIT_CODES.get(CLASSES[name].kind, 1)


def test_an_error_carries_its_two_lines() -> None:
    """Message and hint arrive as given, and the exception's own text is the message."""
    error = errors.NetworkError("what failed", "what to do")
    assert (error.message, error.hint, str(error)) == ("what failed", "what to do", "what failed")


def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """An error is two lines whatever a file or a server says: what is not printable becomes a question mark."""
    report(errors.StsError("a\x1b[2Jb\nc\u009b", "d\re"))
    assert capsys.readouterr() == ("", "awsdirenv: error: a?[2Jb?c?\nawsdirenv: hint: d?e\n")


def all_hints() -> set[str]:
    """Collect all hints, of the modules and of the extension."""
    said = {text for _, text in python_lines(1)}
    return said | shell_lines(EXTENSION, "hint")


def test_all_read_alike() -> None:
    """A message or hint starts in lower case, unless with a name, is one line, and ends without a full stop."""
    # A test, and no parameters: collecting them takes seconds, in each of the processes that tests are run in.
    for text in {text for _, text in all_messages()} | all_hints():
        first = re.split(r"\W", text.lstrip(PLACEHOLDER))[0]
        assert first in (first.lower(), first.upper()), f"only a name such as STS is in upper case: {text}"
        assert not text.endswith((".", "!", " ")), f"no full stop: {text}"
        assert not re.search(r"[\n\r\t]|  ", text), f"one line, single spaces: {text}"


def test_the_collector_collects() -> None:
    """Concatenations, conditions, placeholders and bash's quotes are understood: the tests above mean something."""
    source = "AwsdirenvError(f'bash {\"hangs\" if x else \"ended\"}: {a}{b}' + c, 'x')"
    (_, arguments), *_ = calls(parsed(source), {"AwsdirenvError"})
    assert written(arguments[0]) == ["bash hangs: …", "bash ended: …"]
    script = '_awsdirenv_refuse "a \\`b\\` ${1//[[:cntrl:]]/?} $((x - 1)) $y" "h"\n_awsdirenv_warn "c" \\\n  "d"\n'
    assert shell_lines(script, "error") == {"a `b` … … …"}
    assert shell_lines(script, "warning") == {"c"}
    assert shell_lines(script, "hint") == {"h", "d"}


# What begins a command, in a hint.
_COMMAND = re.compile(r"(?:^|[;:,] |\bor )((?:awsdirenv|aws|direnv|pip|unset|set -e|apt-get|brew) [^;,]*)")
_NOT_A_COMMAND = ("direnv's", "aws_", "direnv run", "direnv is not")


def commands_of_hints() -> list[str]:
    """Give every command without a variable part that a hint shows."""
    found = {match.strip() for hint in all_hints() for match in _COMMAND.findall(hint)}
    return sorted(c for c in found if PLACEHOLDER not in c and not c.startswith(_NOT_A_COMMAND))


@pytest.mark.parametrize("kind", SHELLS)
def test_what_hints_show(world: World, kind: str) -> None:
    """Each command that a hint shows as it is can be run as it is: every shell makes the same words of it."""
    shown = [command for command in commands_of_hints() if not command.startswith(("unset", "set -e"))]
    assert {"awsdirenv setup", "direnv reload"} <= set(shown)
    folder = recorders(world, "awsdirenv", "aws", "direnv", "pip", "apt-get", "brew")
    for command in shown:
        subprocess.run([*RUN[kind], command], env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True)
    assert recorded(world) == [shlex.split(command) for command in shown]
