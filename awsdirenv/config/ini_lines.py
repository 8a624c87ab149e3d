"""The lines of an INI file, by configparser's own rules: where a key stands, and where a nested line is wrong."""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Iterator
from pathlib import Path


class Key(str):
    """A key that knows its line. configparser keeps the same key object that `optionxform` has returned."""

    __slots__ = ("line",)
    line: int


class LineParser(configparser.RawConfigParser):
    """Notes the line of each key. `optionxform` is called with a key right after the key's line was read."""

    def __init__(self) -> None:
        super().__init__()
        self._line = 0

    def counted(self, lines: io.TextIOBase) -> Iterator[str]:
        """Yield the lines and count them."""
        for self._line, line in enumerate(lines, start=1):
            yield line

    def optionxform(self, optionstr: str) -> str:
        """Make the key as configparser does, and add its line."""
        key = Key(super().optionxform(optionstr))
        key.line = self._line
        return key


def text_of(path: str) -> str:
    """Return the text of a file in the locale's encoding, as configparser reads it. Empty if it cannot be read."""
    try:
        file = Path(path)
        return file.read_text(encoding=io.text_encoding(None), errors="replace") if file.is_file() else ""
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return ""


def parsed_lines(path: str) -> LineParser | None:
    """Return the parsed file. None if it cannot be parsed."""
    reader = LineParser()
    try:
        reader.read_file(reader.counted(io.StringIO(text_of(path))), path)
    except configparser.Error:
        return None
    return reader


def bad_nested_line(path: str) -> int | None:
    """Return the number of the first line that botocore cannot read as `key = value` below a key, or None."""
    reader = parsed_lines(path)
    if reader is None:
        return None
    lines = text_of(path).split("\n")
    for section in reader.sections():
        for key in reader.options(section):
            value = reader.get(section, key, raw=True)
            if isinstance(key, Key) and value.startswith("\n") and _is_bad(value):
                below = enumerate(lines[key.line :], start=key.line + 1)
                return next((number for number, line in below if not _is_comment(line) and _is_bad(line)), None)
    return None


# What may be meant as a header, and is read as something else.
_MEANT = re.compile(r"\s*(?:\[|(?:profile|sso-session|services)\b[^=]*$|default\s*:?\s*$)")
_SAME_KIND_TWICE = {"DuplicateOptionError": "a key is there twice", "DuplicateSectionError": "a section is there twice"}


def fault(path: str, error: Exception | None) -> tuple[int, str] | None:
    """Return the number of the line that an error of configparser comes from, and the reason. None: no line is known.

    Below a broken header configparser takes the keys for those of the section above, and may stumble over them only.
    """
    number = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", [])), (None,))[0]
    if number is None:
        nested = bad_nested_line(path)
        return None if nested is None else (nested, _reason(path, nested) or "an indented line that is not key = value")
    twice = _SAME_KIND_TWICE.get(type(error).__name__)
    earlier = _broken_line(path, number) if twice else number
    if twice and earlier is None and isinstance(error, configparser.DuplicateOptionError):
        earlier = _meant_header(path, number, error.section)
    if twice and earlier is None:
        return number, twice
    number = earlier or number
    is_key = isinstance(error, configparser.MissingSectionHeaderError) and "=" in _line(path, number)
    other = "a key above the first section" if is_key else "neither a section nor key = value"
    return number, _reason(path, number) or other


def _broken_line(path: str, end: int) -> int | None:
    """Return the first line before `end` that is no line of an INI file, or None."""
    try:
        configparser.RawConfigParser(strict=False).read_string(text_of(path))
    except configparser.MissingSectionHeaderError as error:
        first = error.lineno
    except configparser.ParsingError as error:
        first = error.errors[0][0]
    else:
        return None
    return first if first < end else None


def _meant_header(path: str, end: int, section: str) -> int | None:
    """Return the last line before `end`, which is in `section`, that is meant as a header and is none."""
    lines = text_of(path).split("\n")
    for number in range(end - 1, 0, -1):
        line = lines[number - 1]
        if re.match(rf"\s*\[{re.escape(section)}\]", line):
            return None
        if _MEANT.match(line):
            return number
    return None


def _reason(path: str, number: int) -> str | None:
    """Return what is wrong with a line that is meant as a header, or None."""
    line = _line(path, number)
    if not _MEANT.match(line):
        return None
    if not line.strip().startswith("["):
        return "a header without [ and ]"
    if "]" not in line:
        return "a header without ]"
    return "an indented header, which is read as a part of the value above it" if line[:1].isspace() else None


def _line(path: str, number: int) -> str:
    return next(iter(text_of(path).split("\n")[number - 1 : number]), "")


def _is_bad(text: str) -> bool:
    return any(line.strip() and "=" not in line for line in text.splitlines())


def _is_comment(line: str) -> bool:
    return line.strip().startswith(("#", ";"))
