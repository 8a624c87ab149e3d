"""The lines of an INI file, by configparser's own rules: where a key stands, and where a nested line is wrong."""

from __future__ import annotations

import configparser
import io
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


def _is_bad(text: str) -> bool:
    return any(line.strip() and "=" not in line for line in text.splitlines())


def _is_comment(line: str) -> bool:
    return line.strip().startswith(("#", ";"))
