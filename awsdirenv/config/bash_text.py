"""Splits a bash script into simple commands, as text. Nothing in it is ever run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from awsdirenv.records import Record

_BLANK = re.compile(r"(?:[^\S\n]|\\\n)+")
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


class Word(Record):
    """A word without its quotes. `is_literal` says that bash has nothing to expand in it."""

    text: str
    is_literal: bool
    is_plain: bool  # no part of it is quoted
    start: int
    end: int = 0


class Chunk(Record):
    """A simple command as it stands: all its words, its redirections, and the separator behind it."""

    words: tuple[Word, ...]
    redirections: tuple[str, ...]  # each with its target
    start: int
    end: int
    separator: str  # "" at the end of the text
    until: int  # the place behind the separator


class UnfinishedError(Exception):
    """The text ends inside quotes or a substitution."""


class Script:
    """Splits a bash script into simple commands. Syntax that it does not know is read as words."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.is_finished = True  # False: the text ends inside quotes or a substitution
        self._documents: list[tuple[str, bool]] = []  # coming here-documents: last line, and whether tabs are removed
        self.documents: list[tuple[int, int]] = []  # the begin and the end of those that were passed

    def substituted(self) -> str | None:
        """Return the script inside, where the text is one command or process substitution, and nothing else."""
        text = self._text
        try:
            if text.startswith(("$(", "<(")) and not text.startswith("$(("):
                self._skip_to(")", 2)
                return text[2:-1] if self._at == len(text) else None
            if text.startswith("`") and self._whole(_BACKTICKS)[0] == text:
                return text[1:-1].replace("\\`", "`").replace("\\$", "$")
        except UnfinishedError:
            pass
        return None

    def commands(self) -> Iterator[list[Word]]:
        """Yield the words of each simple command, without reserved words, assignments and redirections before it."""
        for chunk in self.chunks():
            command = _command(chunk.words)
            # A parenthesis after a single word defines a function.
            if command and not (chunk.separator == "(" and len(command) == 1):
                yield command

    def chunks(self) -> Iterator[Chunk]:
        """Yield what stands between two separators, also if that is nothing."""
        words: list[Word] = []
        redirections: list[str] = []
        start, end = -1, 0
        while self._at < len(self._text):
            if self._take(_BLANK) or self._take(_COMMENT):
                continue
            before = self._at
            if self._text.startswith("((", self._at) and not _command(words):
                self._skip_arithmetic()
            elif redirection := self._take(_REDIRECTION):
                redirections.append(redirection + self._redirect(redirection))
            elif separator := self._take(_SEPARATOR):
                if separator == "\n":
                    self._skip_documents()
                elif _is_open_condition(words):
                    continue
                yield Chunk(tuple(words), tuple(redirections), start, end, separator, self._at)
                words, redirections, start = [], [], -1
                continue
            else:
                words.append(self._word())
            start, end = before if start < 0 else start, self._at
        yield Chunk(tuple(words), tuple(redirections), start, end, "", self._at)

    def _skip_arithmetic(self) -> None:
        """Skip `((…))`. Inside it, << does not begin a here-document."""
        try:
            self._skip_to(")", self._at + 1)
        except UnfinishedError:
            self._at = len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match[0] if match else ""

    def _redirect(self, operator: str) -> str:
        """Read the target of a redirection, and return its text."""
        self._take(_BLANK)
        target = self._word() if self._at < len(self._text) and not _SEPARATOR.match(self._text, self._at) else None
        if target and re.search(r"(?<!<)<<-?$", operator):  # <<< takes the next word
            self._documents.append((target.text, operator.endswith("-")))
        return self._text[target.start : target.end] if target else ""

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

    def _word(self) -> Word:
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
        except UnfinishedError:
            self._at, is_literal, self.is_finished = len(self._text), False, False
        return Word("".join(parts), is_literal, is_plain, start, self._at)

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
        raise UnfinishedError

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
            raise UnfinishedError
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
        raise UnfinishedError


def without_documents(text: str) -> str:
    """Return a script with empty lines in the place of its here-documents. One whose end is missing stays."""
    if "<<" not in text:
        return text
    script = Script(text)
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
    for words in reversed(list(Script(line).commands())):
        name = next((word.text for word in words if word.text not in _BEFORE_COMMAND), "")
        if _PRINTS.fullmatch(name) and not re.search(r"[^|]\|&?\s*$", line[:end]):
            line = line[: words[0].start] + line[end:]
        end = words[0].start
    return line


def _command(words: Sequence[Word]) -> list[Word]:
    """Return the words of a command without the reserved words and assignments before it."""
    remaining = list(words)
    while remaining and (
        _ASSIGNMENT.match(remaining[0].text) or (remaining[0].is_plain and remaining[0].text in _RESERVED)
    ):
        remaining = remaining[2 if remaining[0].text == "function" else 1 :]  # `function` is followed by a name
    return remaining


def _is_open_condition(words: Sequence[Word]) -> bool:
    """Return whether we are inside `[[ … ]]`, where && does not end a command."""
    command = _command(words)
    return bool(command) and command[0].text == "[[" and command[-1].text != "]]"


def inside_substitution(raw: str) -> str | None:
    """Return the script in a word that is one command or process substitution, with or without quotes around it."""
    is_quoted = raw[:1] == raw[-1:] == '"' and len(raw) > 1
    return Script(raw[1:-1] if is_quoted else raw).substituted()
