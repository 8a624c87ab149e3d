"""Finds our line in an `.envrc`, and what a script runs. The file is read as text; nothing in it is ever run.

A call counts here if it counts for bash: after `&&`, in an `if` on one line, or on two lines with a backslash between.
Comments, quoted text, here-documents and definitions of functions do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from awsdirenv.records import Record
from awsdirenv.system.files import read_text

FLAGS = ("--live", "--no-session", "--confirm")  # the options of `use aws_profile` without a value
_ABOVE = re.compile(r"source_(?:up|up_if_exists|env|env_if_exists)$")

_BLANK = re.compile(r"(?:[^\S\n]|\\\n)+")
_WHOLE_LINE = re.compile(r"(?:[^\\\n]|\\.)*", re.DOTALL)
_COMMENT = re.compile(r"#[^\n]*")
_REDIRECTION = re.compile(r"(?:\d+|\{\w+\})?(?:&>>?|<<<|<<-?|<>|[<>]&|>>|>\||[<>](?!\())")
_SEPARATOR = re.compile(r"\n|;;?&?|&&|\|\|?|\|&|&|\(|\)")
_PLAIN = re.compile(r"[^\s;&|()<>\\'\"`$]+|[<>](?=\()")
_SINGLE_QUOTED = re.compile(r"'([^']*)'")
_WITH_ESCAPES = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_BACKTICKS = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)
_DOUBLE_QUOTED = re.compile(r'[^"\\`$]+')
_VARIABLE = re.compile(r"\$(?:\w+|[^\s\w'\"({])?")
_EXPANDED = re.compile(r"[*?\[]|^~|\{[^{}]*(?:,|\.\.)[^{}]*\}")
_ASSIGNMENT = re.compile(r"\w+(?:\[[^\]]*\])?\+?=")
# Words that may stand before a command.
_RESERVED = frozenset(("if", "then", "elif", "else", "while", "until", "do", "!", "{", "}", "time", "function"))
# Commands that only show or keep their arguments, and words that may stand before them, in fish, too.
_PRINTS = re.compile(r"\b(?:echo|printf|print|alias|abbr)\b")
_BEFORE_COMMAND = frozenset(("and", "or", "not", "begin", "builtin", "command"))


class Use(Record):
    """One `use aws_profile`. `profile` is "" if it names none, and None if only bash can work it out.

    `options` has the values of the options by name (`--region`), and "" for a flag. Values that only bash can work out
    are left out. `line` is the line on which the call begins.
    """

    line: str
    profile: str | None
    options: Mapping[str, str] = MappingProxyType({})


class Declaration(Record):
    """The last `use aws_profile` of an `.envrc`; see `Use`."""

    envrc: Path
    profile: str | None = None
    options: Mapping[str, str] = MappingProxyType({})


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
        if not any(_ABOVE.match(words[0].text) for words in _Script(text).commands()):
            return None
    return None


def without_documents(text: str) -> str:
    """Return a script with empty lines in the place of its here-documents. One whose end is missing stays."""
    if "<<" not in text:
        return text
    script = _Script(text)
    for _ in script.commands():
        pass
    for start, end in reversed(script.documents):
        text = text[:start] + "\n" * text.count("\n", start, end) + text[end:]
    return text


def without_printed(line: str) -> str:
    """Return a line of a script without commands that only show their arguments, unless a pipe takes them."""
    if not _PRINTS.search(line):
        return line
    end = len(line)
    for words in reversed(list(_Script(line).commands())):
        name = next((word.text for word in words if word.text not in _BEFORE_COMMAND), "")
        if _PRINTS.fullmatch(name) and not re.search(r"[^|]\|&?\s*$", line[:end]):
            line = line[: words[0].start] + line[end:]
        end = words[0].start
    return line


def uses(text: str) -> list[Use]:
    """Return every `use aws_profile` in the text of an `.envrc` that bash may run, in order."""
    if "aws_profile" not in text:
        return []
    calls = []
    for words in _Script(text).commands():
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
        if "aws_profile" in text and _decides(text):
            return True
    return False


def _decides(text: str) -> bool:
    """Return whether the last line of ours in an `.envrc` comes after its last `source_up`."""
    is_last = False
    for words in _Script(text).commands():
        if _ABOVE.match(words[0].text):
            is_last = False
        elif _arguments_of(words) is not None:
            is_last = True
    return is_last


def _arguments_of(words: Sequence[_Word]) -> Sequence[_Word] | None:
    """Return the arguments of a call of `use aws_profile`. None for any other command."""
    names = [word.text if word.is_literal else None for word in words[:2]]
    return words[2:] if names == ["use", "aws_profile"] else words[1:] if names[0] == "use_aws_profile" else None


class _Word(Record):
    """A word without its quotes. `is_literal` says that bash has nothing to expand in it."""

    text: str
    is_literal: bool
    is_plain: bool  # no part of it is quoted
    start: int


def _taken_apart(words: Sequence[_Word]) -> tuple[str | None, dict[str, str]]:
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
                options[name] = value if behind is word else behind.text
    return profile, options


class _UnfinishedError(Exception):
    """The text ends inside quotes or a substitution."""


class _Script:
    """Splits a bash script into simple commands. Syntax that it does not know is read as words."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._documents: list[tuple[str, bool]] = []  # coming here-documents: last line, and whether tabs are removed
        self.documents: list[tuple[int, int]] = []  # the begin and the end of those that were passed

    def commands(self) -> Iterator[list[_Word]]:
        """Yield the words of each simple command, without reserved words, assignments and redirections before it."""
        words: list[_Word] = []
        while self._at < len(self._text):
            if self._take(_BLANK) or self._take(_COMMENT):
                continue
            if self._text.startswith("((", self._at) and not _command(words):
                self._skip_arithmetic()
            elif redirection := self._take(_REDIRECTION):
                self._redirect(redirection)
            elif separator := self._take(_SEPARATOR):
                if separator == "\n":
                    self._skip_documents()
                elif _is_open_condition(words):
                    continue
                # A parenthesis after a single word defines a function.
                command = _command(words)
                if command and not (separator == "(" and len(command) == 1):
                    yield command
                words = []
            else:
                words.append(self._word())
        if command := _command(words):
            yield command

    def _skip_arithmetic(self) -> None:
        """Skip `((…))`. Inside it, << does not begin a here-document."""
        try:
            self._skip_to(")", self._at + 1)
        except _UnfinishedError:
            self._at = len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match[0] if match else ""

    def _redirect(self, operator: str) -> None:
        self._take(_BLANK)
        target = self._word() if self._at < len(self._text) and not _SEPARATOR.match(self._text, self._at) else None
        if target and re.search(r"(?<!<)<<-?$", operator):  # <<< takes the next word
            self._documents.append((target.text, operator.endswith("-")))

    def _skip_documents(self) -> None:
        for last, has_tabs in self._documents:
            start = self._at
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end]
                self._at = end + 1
                if (line.lstrip("\t") if has_tabs else line) == last:
                    self.documents.append((start, min(self._at, len(self._text))))
                    break
        self._documents = []

    def _word(self) -> _Word:
        start, parts, is_literal, is_plain = self._at, list[str](), True, True
        try:
            while self._at < len(self._text):
                before = self._at
                if part := self._take(_PLAIN):
                    is_literal = is_literal and not _EXPANDED.search(part)
                elif self._text[self._at] == "(" and parts and parts[-1][-1:] in ("=", "<", ">"):
                    self._skip_to(")", self._at + 1)  # a list, or a process substitution
                    is_literal = False
                elif self._text[self._at] in "\\'\"`$":
                    part, is_known = self._quoted()
                    is_literal, is_plain = is_literal and is_known, False
                if self._at == before:
                    break
                parts.append(part)
        except _UnfinishedError:
            self._at, is_literal = len(self._text), False
        return _Word("".join(parts), is_literal, is_plain, start)

    def _quoted(self) -> tuple[str, bool]:
        """Read a quoted part of a word, or a substitution. Return its text, and whether it is known without bash."""
        text, at = self._text, self._at
        if text[at] == "\\":
            self._at = min(at + 2, len(text))
            return text[at + 1 : self._at].replace("\n", ""), True
        if text[at] == '"':
            return self._double_quoted()
        if text[at] == "'" or text.startswith("$'", at):
            match = self._whole(_SINGLE_QUOTED if text[at] == "'" else _WITH_ESCAPES)
            return match[1], text[at] == "'" or "\\" not in match[1]
        self._skip_substitution()
        return "", False

    def _double_quoted(self) -> tuple[str, bool]:
        parts, is_known = list[str](), True
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return "".join(parts), is_known
            if char == "\\":
                after = self._text[self._at + 1 : self._at + 2]
                parts.append("" if after == "\n" else after if after in '$`"\\' else f"\\{after}")
                self._at += 2
            elif char in "$`":
                is_known = False
                self._skip_substitution()
            else:
                parts.append(self._take(_DOUBLE_QUOTED))
        raise _UnfinishedError

    def _skip_substitution(self) -> None:
        at = self._at
        if self._text[at] == "`":
            self._whole(_BACKTICKS)
        elif self._text.startswith(("$(", "${"), at):
            self._skip_to(")" if self._text[at + 1] == "(" else "}", at + 2)
        else:
            self._take(_VARIABLE)

    def _whole(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if not match:
            raise _UnfinishedError
        self._at = match.end()
        return match

    def _skip_to(self, closer: str, at: int) -> None:
        """Skip the content of parentheses or braces, also if they are nested. `at` is the position after the first."""
        self._at = at
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == closer:
                self._at += 1
                return
            if char in "\\'\"`$":
                self._quoted()
            elif char == "(" and closer == ")":
                self._skip_to(closer, self._at + 1)
            else:
                self._at += 1
        raise _UnfinishedError


def _command(words: Sequence[_Word]) -> list[_Word]:
    """Return the words of a command without the reserved words and assignments before it."""
    remaining = list(words)
    while remaining and (
        _ASSIGNMENT.match(remaining[0].text) or (remaining[0].is_plain and remaining[0].text in _RESERVED)
    ):
        remaining = remaining[2 if remaining[0].text == "function" else 1 :]  # `function` is followed by a name
    return remaining


def _is_open_condition(words: Sequence[_Word]) -> bool:
    """Return whether we are inside `[[ … ]]`, where && does not end a command."""
    command = _command(words)
    return bool(command) and command[0].text == "[[" and command[-1].text != "]]"
