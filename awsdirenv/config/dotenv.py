"""Reads and updates `.env` files with python-dotenv, which is imported only here and only if there is such a file."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Container, Mapping
from pathlib import Path

from awsdirenv.config.environment import is_secret
from awsdirenv.errors import ConfigError, SetupError
from awsdirenv.system.files import read_text, replace_file

# Only an unquoted value means the same to python-dotenv, Docker, systemd and a shell. All values of AWS can be written
# without quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]+", re.ASCII)

# What of a `.env` is for us.
_OURS = re.compile(r"AWS_PROFILE|AWSDIRENV_\w+", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # what a shell can set
_MAY_REFER_TO_SECRETS = {"AWSDIRENV_MFA_PROCESS"}  # a command, whose words no message shows

# One assignment as python-dotenv's parser reads it: the part before the value, and the comment and line end after it.
_ASSIGNMENT = re.compile(
    r"""(?P<head>(?:export[^\S\r\n]+)?(?:'[^']+'|[^=\#\s]+))[^\S\r\n]*
        (?:=[^\S\r\n]*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|=[^\r\n]*?|)
        (?P<comment>[^\S\r\n]+\#[^\r\n]*)?[^\S\r\n]*(?P<end>[\r\n]*)""",
    re.VERBOSE | re.DOTALL,
)


def nearest(directory: Path) -> Path | None:
    """Return the nearest `.env` file at or above a directory.

    Only regular files count. A virtual environment named `.env` is a folder, and 1Password makes a FIFO, which would
    block.
    """
    for folder in (directory, *directory.parents):
        candidate = folder / ".env"
        if candidate.is_file():
            return candidate
    return None


def read(path: Path) -> dict[str, str]:
    """Return the file's variables that are for us: AWS_PROFILE and our settings.

    Raises ConfigError if the file cannot be read, or if one of these refers to a secret: a profile's name is shown,
    written into files and given to other programs.
    """
    return _read(path)[0]


def read_profile(path: Path) -> tuple[str | None, frozenset[str]]:
    """Return the profile that the file declares, if any, and the variables that its name refers to.

    Raises ConfigError as `read`, and for a reference that the extension, which is bash, could not follow.
    """
    return read_for_extension(path, "AWS_PROFILE")


def read_for_extension(path: Path, name: str) -> tuple[str | None, frozenset[str]]:
    """Return the value of a variable of ours, if any, and the variables that it refers to; see `read_profile`."""
    ours, references = _read(path)
    variables = references.get(name, frozenset())
    odd = sorted(one for one in variables if not _VARIABLE.fullmatch(one))
    if odd:
        raise ConfigError(
            f"{name} in {path} refers to {odd[0]!r}, which is not a valid variable name",
            f"write the value of {name} into {path}",
        )
    return ours.get(name), variables


def values_of(path: Path, names: Container[str]) -> dict[str, str]:
    """Return the variables of these names, as the file sets them. None of them for a file that cannot be read."""
    text = read_text(path)
    if text is None or "AWS_" not in text:
        return {}
    return {name: value for name, value in _parsed(text).items() if value and name in names}


def _parsed(text: str) -> Mapping[str, str | None]:
    from dotenv import dotenv_values  # noqa: PLC0415 - it takes 30 ms, and most directories do not need it

    logging.getLogger("dotenv").addHandler(logging.NullHandler())  # the parser's warnings are of no use to the user
    return dotenv_values(stream=io.StringIO(text))


def _read(path: Path) -> tuple[dict[str, str], Mapping[str, frozenset[str]]]:
    """Return the file's variables that are for us, and what each variable of it refers to. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {_reason(error)}", f"correct or remove {path}") from None
    values, references = _parsed(text), _references(text)
    ours = {name: value for name, value in values.items() if value is not None and _OURS.fullmatch(name)}
    for name in ours.keys() - _MAY_REFER_TO_SECRETS:
        secret = next(filter(is_secret, references[name]), None)
        if secret:
            raise ConfigError(
                f"{name} in {path} refers to {secret}, which is a secret", f"write the value of {name} into {path}"
            )
    return ours, references


def _references(text: str) -> dict[str, frozenset[str]]:
    """Return the variables that each variable of the file refers to, directly or through others.

    A name may be assigned more than once. What stands below refers to the last value above, as python-dotenv does.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415
    from dotenv.variables import Variable, parse_variables  # noqa: PLC0415

    found: dict[str, frozenset[str]] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is not None:
            names = {atom.name for atom in parse_variables(binding.value or "") if isinstance(atom, Variable)}
            found[binding.key] = frozenset(names).union(*(found.get(name, ()) for name in names))
    return found


def lines(values: Mapping[str, str]) -> list[str]:
    """Return a line for each value that python-dotenv reads back unchanged. Raises SetupError if there is none."""
    assignments = [_line(name, value) for name, value in values.items()]
    lost = _lost("", "\n".join(assignments), values, frozenset())
    if lost:
        raise SetupError(f"a dotenv file cannot contain the value of {lost}", "choose another --format")
    return assignments


def update(path: Path, values: Mapping[str, str], stale: frozenset[str]) -> None:
    """Set `values` and remove the names in `stale`. All other keys and comments stay. The file gets mode 0600.

    Raises SetupError, and then leaves the old file as it was.
    """
    target = Path(os.path.realpath(path))  # if `.env` is a link, the link stays
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
    """Return the file's text with its line ends. Empty for a missing file. Raises OSError and UnicodeDecodeError."""
    if not path.exists():
        return ""
    if not path.is_file():
        raise OSError(0, "not a regular file")
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _updated(text: str, values: Mapping[str, str], stale: frozenset[str]) -> str:
    """Return the text with changed lines. python-dotenv's own set_key loses blank lines, comments and `export`."""
    from dotenv.parser import parse_stream  # noqa: PLC0415

    newline = "\r\n" if "\r\n" in text else "\n"
    parts = ["\ufeff"] if text.startswith("\ufeff") else []
    missing = dict(values)
    for binding in parse_stream(io.StringIO(text.removeprefix("\ufeff"), newline="")):
        original = binding.original.string
        blank = original[: len(original) - len(original.lstrip())]  # it stays if the key is removed
        if binding.error or binding.key is None or binding.key not in {*values, *stale}:
            parts.append(original)
        elif binding.key in stale:
            parts.append(blank.rstrip(" \t"))
        else:
            assignment = _ASSIGNMENT.fullmatch(original, len(blank))
            head, comment, end = (
                assignment.group("head", "comment", "end") if assignment else (binding.key, "", newline)
            )
            parts.append(f"{blank}{head}={_quote(values[binding.key])}{comment or ''}{end}")
            missing.pop(binding.key, None)
    if missing and parts and not parts[-1].endswith(("\n", "\r", "\ufeff")):
        parts.append(newline)
    return "".join([*parts, *(_line(name, value) + newline for name, value in missing.items())])


def _lost(before: str, after: str, values: Mapping[str, str], stale: frozenset[str]) -> str | None:
    """Return the name of a variable that python-dotenv would read wrongly from `after`, or None.

    It expands `${NAME}` even inside quotes. And a quote that is never closed swallows the text after it.
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
    r"""Quote a value if it needs that. Only \\ and \' are special inside single quotes."""
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return getattr(error, "strerror", None) or type(error).__name__
