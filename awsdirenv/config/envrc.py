"""Finds our line in an `.envrc`. The file is read as text; nothing in it is ever run.

A call counts here if it counts for bash: after `&&`, in an `if` on one line, or on two lines with a backslash between.
Comments, quoted text, here-documents and definitions of functions do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from awsdirenv.config.bash_text import Script, Word
from awsdirenv.records import Record
from awsdirenv.system.files import read_text

FLAGS = (
    "--live",
    "--keys",
    "--no-session",
    "--confirm",
    "--read-only",
)  # the options of `use aws_profile` without a value
_REPEATED = ("--policy-arn",)
_ABOVE = re.compile(r"source_(?:up|up_if_exists|env|env_if_exists)$")

_WHOLE_LINE = re.compile(r"(?:[^\\\n]|\\.)*", re.DOTALL)


class Use(Record):
    """One `use aws_profile`. `profile` is "" if it names none, and None if only bash can work it out.

    `options` has the values of the options by name (`--region`), and "" for a flag. Those of a repeated option stand
    with spaces between them. Values that only bash can work out are left out. `line` is the line on which the call
    begins.
    """

    line: str
    profile: str | None
    options: Mapping[str, str] = MappingProxyType({})


class Declaration(Record):
    """The last `use aws_profile` of an `.envrc`; see `Use`."""

    envrc: Path
    profile: str | None = None
    options: Mapping[str, str] = MappingProxyType({})


def line_of(argument: str, *options: str) -> str:
    """Return our line for the text of an argument in bash, or for "" if it names no profile."""
    words = [*options, "--", argument] if argument.startswith(("-", "'-", '"-')) else [argument, *options]
    return " ".join(["use aws_profile", *filter(None, words)])


def has_carriage_returns(data: bytes) -> bool:
    """Return whether a line of an `.envrc` ends with CR LF, for bash a part of its last word."""
    return re.search(rb"\r(?=\n|$)", data) is not None


def nearest(directory: Path) -> Declaration | None:
    """Return what the `.envrc` of a directory declares: the nearest one, and those above it while it says `source_up`.

    None if there is no such file, or if it has no line of ours.
    """
    for folder in (directory, *directory.parents):
        text = read_text(folder / ".envrc", errors="surrogateescape")
        if text is None:
            continue
        calls = uses(text)
        if calls:
            return Declaration(folder / ".envrc", calls[-1].profile, calls[-1].options)
        if not any(_ABOVE.match(words[0].text) for words in Script(text).commands()):
            return None
    return None


def uses(text: str) -> list[Use]:
    """Return every `use aws_profile` in the text of an `.envrc` that bash may run, in order."""
    if not _may_have_ours(text):
        return []
    calls = []
    for words in Script(text).commands():
        arguments = _arguments_of(words)
        if arguments is not None:
            line = _WHOLE_LINE.match(text, text.rfind("\n", 0, words[0].start) + 1)
            shown = re.sub(r"\\\n[ \t]*", "", line[0]).strip() if line else ""
            calls.append(Use(shown, *_taken_apart(arguments)))
    return calls


def has_later_line(envrc: Path, directory: Path) -> bool:
    """Return whether a line of ours follows that of `directory` when direnv evaluates `envrc`.

    It does if an `.envrc` between the two has one after its `source_up`.
    """
    for folder in (envrc.parent, *envrc.parent.parents):
        if folder == directory:
            return False
        text = read_text(folder / ".envrc", errors="surrogateescape") or ""
        if _may_have_ours(text) and _decides(text):
            return True
    return False


def _may_have_ours(text: str) -> bool:
    """Return whether a text can have a line of ours. Quotes and backslashes may stand within its words."""
    return "aws_profile" in re.sub(r"[\\'\"$\n]", "", text)


def _decides(text: str) -> bool:
    """Return whether the last line of ours in an `.envrc` comes after its last `source_up`."""
    is_last = False
    for words in Script(text).commands():
        if _ABOVE.match(words[0].text):
            is_last = False
        elif _arguments_of(words) is not None:
            is_last = True
    return is_last


def _arguments_of(words: Sequence[Word]) -> Sequence[Word] | None:
    """Return the arguments of a call of `use aws_profile`. None for any other command."""
    names = [word.text if word.is_literal else None for word in words[:2]]
    return words[2:] if names == ["use", "aws_profile"] else words[1:] if names[0] == "use_aws_profile" else None


def _taken_apart(words: Sequence[Word]) -> tuple[str | None, dict[str, str]]:
    """Return the profile and the options in the arguments of `use aws_profile`, as in `Use`."""
    profile: str | None = ""
    options = dict[str, str]()
    rest = iter(words)
    for word in rest:
        if word.text == "--":
            after = next(rest, None)
            profile = profile if after is None else after.text if after.is_literal else None
        elif not word.text.startswith("-"):
            if profile == "":
                profile = word.text if word.is_literal else None
        else:
            name, equals, value = word.text.partition("=")
            behind = word if equals or name in FLAGS else next(rest, word)
            if behind.is_literal:
                said = value if behind is word else behind.text
                options[name] = f"{options[name]} {said}" if name in options and name in _REPEATED else said
    return profile, options
