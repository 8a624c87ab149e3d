"""`.env` files, read and updated through python-dotenv, which is imported only here and only when there is one."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.errors import ConfigError, SetupError
from awsdirenv.system.files import replace_file

# Only an unquoted value is the same to python-dotenv, Docker, systemd and a shell; all that AWS gives us can be one.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]+", re.ASCII)

# One assignment as python-dotenv's parser takes it: what stands before the value, and the comment and line end after.
_ASSIGNMENT = re.compile(
    r"""(?P<head>(?:export[^\S\r\n]+)?(?:'[^']+'|[^=\#\s]+))[^\S\r\n]*
        (?:=[^\S\r\n]*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|=[^\r\n]*?|)
        (?P<comment>[^\S\r\n]+\#[^\r\n]*)?[^\S\r\n]*(?P<end>[\r\n]*)""",
    re.VERBOSE | re.DOTALL,
)


def nearest(directory: Path) -> Path | None:
    """Give the nearest `.env` file at or above a directory.

    Regular files only: a virtual environment named `.env` is a folder, and 1Password's is a FIFO that would block.
    """
    for folder in (directory, *directory.parents):
        candidate = folder / ".env"
        if candidate.is_file():
            return candidate
    return None


def read(path: Path) -> dict[str, str]:
    """Give the file's variables. Raises ConfigError when it cannot be read."""
    from dotenv import dotenv_values  # noqa: PLC0415 - 30 ms that most directories need not pay

    logging.getLogger("dotenv").addHandler(logging.NullHandler())  # its parser's complaints quote nothing useful
    try:
        values = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {_reason(error)}", f"mend or remove {path}") from None
    return {name: value for name, value in values.items() if value is not None}


def lines(values: Mapping[str, str]) -> list[str]:
    """Write each value as a line that python-dotenv reads back unchanged. Raises SetupError where there is none."""
    made = [_line(name, value) for name, value in values.items()]
    lost = _lost("", "\n".join(made), values, frozenset())
    if lost:
        raise SetupError(f"no dotenv file can carry the value of {lost}", "choose another --format")
    return made


def update(path: Path, values: Mapping[str, str], stale: frozenset[str]) -> None:
    """Set `values` and drop `stale` names in place; every other key and comment stays. The result is 0600.

    Raises SetupError, with the old file untouched.
    """
    target = Path(os.path.realpath(path))  # a linked `.env` keeps its link
    try:
        before = _text(path)
        after = _updated(before, values, stale)
        lost = _lost(before, after, values, stale)
        if lost:
            raise SetupError(
                f"cannot write {path}: {lost} could not be read back from it",
                "close every quote in that file, or choose another --output",
            )
        replace_file(target, after.encode(), 0o600)
    except (OSError, ValueError) as error:
        raise SetupError(f"cannot write {path}: {_reason(error)}", "choose another --output") from None


def _text(path: Path) -> str:
    """Give the file's text, line ends as they are; nothing for no file. Raises OSError and UnicodeDecodeError."""
    if not path.exists():
        return ""
    if not path.is_file():
        raise OSError(0, "not a regular file")
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _updated(text: str, values: Mapping[str, str], stale: frozenset[str]) -> str:
    """Change the lines of a `.env` file. python-dotenv's own set_key drops blank lines, comments and `export`."""
    from dotenv.parser import parse_stream  # noqa: PLC0415

    newline = "\r\n" if "\r\n" in text else "\n"
    parts = ["\ufeff"] if text.startswith("\ufeff") else []
    left = dict(values)
    for binding in parse_stream(io.StringIO(text.removeprefix("\ufeff"), newline="")):
        original = binding.original.string
        blank = original[: len(original) - len(original.lstrip())]  # belongs to what is above as much as to the key
        if binding.error or binding.key is None or binding.key not in {*values, *stale}:
            parts.append(original)
        elif binding.key in stale:
            parts.append(blank.rstrip(" \t"))
        else:
            found = _ASSIGNMENT.fullmatch(original, len(blank))
            head, comment, end = found.group("head", "comment", "end") if found else (binding.key, "", newline)
            parts.append(f"{blank}{head}={_quote(values[binding.key])}{comment or ''}{end}")
            left.pop(binding.key, None)
    if left and parts and not parts[-1].endswith(("\n", "\r", "\ufeff")):
        parts.append(newline)
    return "".join([*parts, *(_line(name, value) + newline for name, value in left.items())])


def _lost(before: str, after: str, values: Mapping[str, str], stale: frozenset[str]) -> str | None:
    """Name a variable that python-dotenv would read from `after` as something else than it should be.

    It expands `${NAME}` whatever the quotes, and a quote that somebody left open takes in what follows.
    """
    from dotenv import dotenv_values  # noqa: PLC0415

    logging.getLogger("dotenv").addHandler(logging.NullHandler())
    others = {**dotenv_values(stream=io.StringIO(before), interpolate=False)}
    expected = {name: value for name, value in others.items() if name not in {*values, *stale}}
    kept = dotenv_values(stream=io.StringIO(after), interpolate=False)
    written = dotenv_values(stream=io.StringIO(after))
    lost = [name for name, value in expected.items() if kept.get(name) != value]
    lost += [name for name, value in values.items() if written.get(name) != value]
    return next(iter([*lost, *(name for name in stale if name in kept)]), None)


def _line(name: str, value: str) -> str:
    return f"{name}={_quote(value)}"


def _quote(value: str) -> str:
    r"""Quote where a value needs it; only \\ and \' are special inside single quotes."""
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return getattr(error, "strerror", None) or type(error).__name__
