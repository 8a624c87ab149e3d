"""The outline of a bash script: its simple commands, what they stand in, and its functions. Nothing is ever run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from awsdirenv.config.bash_text import Chunk, Script, Word
from awsdirenv.records import Record

_OPENERS = {
    **dict.fromkeys(("if", "case"), "a condition"),
    **dict.fromkeys(("while", "until", "for", "select"), "a loop"),
    "{": "braces",
    "(": "a subshell",
}
_WITH_HEADER = ("for", "case", "select")
_CLOSERS = {"fi": ("if",), "esac": ("case",), "done": ("while", "until", "for", "select"), "}": ("{",)}
_OTHERS = frozenset(("then", "else", "elif", "do", "!", "time"))
_LIST = ("&&", "||", "|", "|&", "&")

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PARAMETER = re.compile(r"\$(?:([A-Za-z_]\w*|\d)|\{([A-Za-z_]\w*|\d)(?:(:?[-?=])([^{}\"'`$\\]*))?\})", re.ASCII)
_HERE = re.compile(r"\$\(\s*pwd\s*\)")


class Statement(Record):
    """A simple command, without reserved words. `where` is what it stands in, such as `a loop`; "" on the top level.

    `before` and `after` are the operators that join it to others: `&&`, `||`, `|` or `&`.
    """

    words: tuple[Word, ...]
    redirections: tuple[str, ...]
    start: int
    end: int
    before: str
    after: str
    where: str
    function: str  # the function that it stands in, or ""

    @property
    def is_alone(self) -> bool:
        """Whether it stands on the top level, and joined to no other command."""
        return not (self.where or self.before or self.after)


class Function(Record):
    """A function that a script defines."""

    name: str
    start: int
    end: int
    statements: tuple[Statement, ...]


class Outline(Record):
    """A script, taken apart. `is_whole` says that every quote and every compound command in it is closed."""

    text: str
    statements: tuple[Statement, ...]
    functions: Mapping[str, Function]
    is_whole: bool

    def raw(self, part: Word | Statement) -> str:
        """Return the text of a part, as it stands."""
        return self.text[part.start : part.end]

    def line(self, part: Word | Statement) -> int:
        """Return the number of the line on which a part begins."""
        return self.text.count("\n", 0, part.start) + 1


def outline(text: str) -> Outline:
    """Take a script apart."""
    script = Script(text)
    builder = _Builder()
    for chunk in script.chunks():
        builder.take(chunk)
    is_whole = script.is_finished and not builder.is_broken and not builder.stack
    return Outline(text, tuple(builder.statements), builder.functions, is_whole)


class _Builder:
    """Follows the compound commands of a script."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.functions: dict[str, Function] = {}
        self.stack: list[tuple[str, str, int]] = []  # the word that opens, the function whose body it is, its place
        self.is_broken = False
        self._named: tuple[str, int] | None = None  # a function whose body comes, and its place
        self._before = ""

    def take(self, chunk: Chunk) -> None:
        """Go on to the next part between two separators."""
        words = self._without_reserved(list(chunk.words))
        before, self._before = self._before, chunk.separator if chunk.separator in _LIST[:4] else ""
        is_closing = chunk.separator == ")" and not (self._named and not words)
        if chunk.separator == "(":
            self._open_parenthesis(words)
            return
        is_pattern = is_closing and self._innermost() == "case"
        if words and not is_pattern:
            after = chunk.separator if chunk.separator in _LIST else ""
            self._add(words, chunk, before, after)
        if is_closing and not is_pattern:
            self._close("(", end=chunk.until)

    def _without_reserved(self, words: list[Word]) -> list[Word]:
        while words and words[0].is_plain:
            word = words[0]
            if word.text in _OPENERS:
                name, place = self._named or ("", word.start)
                self.stack.append((word.text, name if word.text in ("{", "(") else "", place))
                self._named = None
                if word.text in _WITH_HEADER:
                    return words
            elif word.text in _CLOSERS:
                self._close(*_CLOSERS[word.text], end=word.end)
            elif word.text == "function" and len(words) > 1:
                self._named = (words[1].text, word.start)
                words.pop(0)
            elif word.text not in _OTHERS:
                return words
            words.pop(0)
        return words

    def _innermost(self) -> str:
        return self.stack[-1][0] if self.stack else ""

    def _open_parenthesis(self, words: list[Word]) -> None:
        if self._named and not words:
            return  # `function name ()`
        if len(words) == 1:
            self._named = (words[0].text, words[0].start)
        elif self._innermost() != "case" or words:
            self.stack.append(("(", "", 0))

    def _close(self, *openers: str, end: int) -> None:
        if self._innermost() not in openers:
            self.is_broken = True
            return
        _, name, place = self.stack.pop()
        if name:
            inside = tuple(one for one in self.statements if one.start > place)
            self.functions[name] = Function(name, place, end, inside)

    def _add(self, words: Sequence[Word], chunk: Chunk, before: str, after: str) -> None:
        function = next((name for _, name, _ in self.stack if name), "")
        where = next((_OPENERS[word] for word, name, _ in reversed(self.stack) if not name), "")
        if function and not where:
            where = "a function"
        end = max(chunk.end, words[-1].end)
        self.statements.append(
            Statement(tuple(words), chunk.redirections, words[0].start, end, before, after, where, function)
        )


def expand(raw: str, variables: Mapping[str, str]) -> str | None:
    """Return what bash makes of a word in an assignment, if the values of its variables are known. Else None."""
    parts: list[str] = []
    at, is_quoted = 0, False
    if raw.startswith(("~/", '"~/')) and raw[0] == "~" and "HOME" in variables:
        raw = variables["HOME"] + raw[1:]
    while at < len(raw):
        char = raw[at]
        if char == "$":
            value, at = _parameter(raw, at, variables)
            if value is None:
                return None
            parts.append(value)
        elif char == "'" and not is_quoted:
            end = raw.find("'", at + 1)
            if end < 0:
                return None
            parts.append(raw[at + 1 : end])
            at = end + 1
        elif char == '"':
            is_quoted = not is_quoted
            at += 1
        elif char == "`":
            return None
        elif char == "\\":
            after = raw[at + 1 : at + 2]
            is_kept = is_quoted and after not in '$`"\\\n'
            parts.append(f"\\{after}" if is_kept else after.replace("\n", ""))
            at += 2
        else:
            parts.append(char)
            at += 1
    return None if is_quoted else "".join(parts)


def _parameter(raw: str, at: int, variables: Mapping[str, str]) -> tuple[str | None, int]:
    """Return the value of the parameter at a place of a word, and the place after it."""
    if (here := _HERE.match(raw, at)) and "PWD" in variables:
        return variables["PWD"], here.end()
    match = _PARAMETER.match(raw, at)
    if not match:
        return None, at
    name, operator, default = match[1] or match[2], match[3] or "", match[4]
    value = variables.get(name)
    if operator and value is not None and (not value and operator[0] == ":"):
        value = default if operator[-1] in "-=" else None
    return value, match.end()


def is_name(text: str) -> bool:
    """Return whether a text can be the name of a variable."""
    return _NAME.fullmatch(text) is not None


def as_argument(raw: str) -> str | None:
    """Return a word of an assignment as an argument of a command, where bash would also split it. None: too odd."""
    inner = raw[1:-1] if raw[:1] == raw[-1:] == '"' and len(raw) > 1 else raw
    return f'"{inner}"' if not set(inner) & set("'\"\\`") else None
