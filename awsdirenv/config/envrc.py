"""What an `.envrc` says about us, read as text: nobody has allowed it yet, so nothing of it is ever evaluated."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FLAGS = ("--live", "--no-session", "--confirm")  # the options of `use aws_profile` without a value
USE = re.compile(r"^[ \t]*use[ \t]+aws_profile(?![\w-])(.*)$", re.MULTILINE)
_ABOVE = re.compile(r"^[ \t]*source_(?:up|up_if_exists|env|env_if_exists)\b", re.MULTILINE)
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Declaration:
    """The last `use aws_profile` of an `.envrc`. `profile` is "" for none named, None for what only bash can tell.

    `options` has the values of options by their names (`--region`), "" for flags; those that cannot be told are left
    out.
    """

    envrc: Path
    profile: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def nearest(directory: Path) -> Declaration | None:
    """Give what the `.envrc` that direnv takes here declares: the nearest one, and above it while it says `source_up`.

    None where there is none, it cannot be read, or it has no line of ours.
    """
    for folder in (directory, *directory.parents):
        text = _text(folder / ".envrc")
        if text is None:
            continue
        lines = USE.findall(text)
        if lines:
            profile, options = taken_apart(lines[-1])
            return Declaration(folder / ".envrc", profile, options)
        if not _ABOVE.search(text):
            return None
    return None


def used_profile(arguments: str) -> str | None:
    """Give the profile among the arguments of `use aws_profile`, "" for none, None for what cannot be told."""
    return taken_apart(arguments)[0]


def taken_apart(arguments: str) -> tuple[str | None, dict[str, str]]:
    """Give profile and options among the arguments of `use aws_profile`, as `Declaration` has them."""
    try:
        words = shlex.split(arguments, comments=True)
    except ValueError:
        return None, {}
    words = words[: next((i for i, word in enumerate(words) if word in {";", "&&", "||", "|", "&"}), len(words))]
    profile, options, rest = "", dict[str, str](), iter(words)
    for word in rest:
        if word == "--":
            profile = next(rest, profile)
        elif not word.startswith("-"):
            profile = profile or word
        else:
            name, equals, value = word.partition("=")
            options[name] = value if equals else "" if name in FLAGS else next(rest, "")
    known = {name: value for name, value in options.items() if _is_literal(value, arguments)}
    return (profile if _is_literal(profile, arguments) else None), known


def _is_literal(word: str, arguments: str) -> bool:
    """Tell a word that bash takes as it stands: without anything to expand, or in single quotes."""
    return not re.search(r"[$`*?;&|<>]", word) or shlex.quote(word) in arguments


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
