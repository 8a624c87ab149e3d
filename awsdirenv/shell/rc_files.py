"""Reads the start-up files of shells as text, in the shell's order, with the files that they source by a plain name.

Nothing is run. A name that only the shell can work out (`$(…)`, most variables) is not followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from awsdirenv.records import Record
from awsdirenv.shell.extension import rc_file
from awsdirenv.system.files import home, read_text

_MOST_FILES = 60
_SOURCE = re.compile(
    r"""(?:^|[;&|{(]|\bthen\b|\bdo\b|\bbuiltin\b|\band\b)\s*(?:source|\\?\.)\s+
        (?P<name>"[^"]+"|'[^']+'|(?:\\.|[^\s;&|)}<>"'])+)""",
    re.VERBOSE,
)
# A line of the file in which fish keeps its variables, and an escape in its values.
_UNIVERSAL = re.compile(r"SETUVAR (?:\S+ )*?--export (?:\S+ )*?(\w+):(.*)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SYSTEM = {
    "bash": ("/etc/profile", "/etc/bash.bashrc", "/etc/bashrc"),
    "zsh": ("/etc/zsh/zshenv", "/etc/zshenv", "/etc/zsh/zshrc", "/etc/zshrc"),
    "fish": ("/etc/fish/config.fish",),
}


class Line(Record):
    """One line that is not a comment, with its place."""

    path: Path
    number: int
    text: str

    @property
    def place(self) -> str:
        """The place of the line, as `path:line`."""
        return f"{self.path}:{self.number}"


def interactive(shell: str, environ: Mapping[str, str]) -> list[Line]:
    """Return all lines of the user's files that an interactive `bash`, `zsh` or `fish` reads, in the shell's order."""
    main = rc_file(shell, environ)
    if shell == "fish":
        return follow([*sorted((main.parent / "conf.d").glob("*.fish")), main], environ)
    if shell == "zsh":
        return follow([main.with_name(name) for name in (".zshenv", ".zprofile", ".zshrc", ".zlogin")], environ)
    return follow([main], environ)


def of_system(shell: str, environ: Mapping[str, str]) -> list[Line]:
    """Return all lines of the system's start-up files, which come from the administrator or from packages."""
    paths = [Path(name) for name in _SYSTEM[shell]]
    if shell == "fish":
        shares = (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
        folders = [Path("/etc/fish/conf.d"), *(Path(share) / "fish" / "vendor_conf.d" for share in shares)]
        paths += [path for folder in folders for path in sorted(folder.glob("*.fish"))]
    return follow(paths, environ)


def everything(environ: Mapping[str, str]) -> list[Line]:
    """Return all lines of all the user's files that set variables for shells and sessions, for every shell."""
    here = home(environ)
    config = Path(environ.get("XDG_CONFIG_HOME") or here / ".config")
    names = (".profile", ".bash_profile", ".bash_login", ".bashrc", ".xprofile", ".pam_environment")
    fish = rc_file("fish", environ)
    paths = [here / name for name in names]
    paths += [rc_file("zsh", environ).with_name(name) for name in (".zshenv", ".zprofile", ".zshrc", ".zlogin")]
    paths += [*sorted((fish.parent / "conf.d").glob("*.fish")), fish]
    paths += sorted((config / "environment.d").glob("*.conf"))
    return follow(paths, environ)


def follow(paths: list[Path], environ: Mapping[str, str]) -> list[Line]:
    """Return the lines of files. A sourced file's lines follow the line that names it. Unreadable files have none."""
    return list(_lines(paths, environ, set()))


def _lines(paths: list[Path], environ: Mapping[str, str], visited: set[str]) -> Iterator[Line]:
    for path in paths:
        real = os.path.realpath(path)
        if real in visited or len(visited) >= _MOST_FILES:
            continue
        visited.add(real)
        for number, text in enumerate((read_text(path) or "").splitlines(), start=1):
            if text.lstrip().startswith("#"):
                continue
            yield Line(path, number, text)
            named = [_named(source_word["name"], environ) for source_word in _SOURCE.finditer(text)]
            yield from _lines([path for path in named if path], environ, visited)


def _named(word: str, environ: Mapping[str, str]) -> Path | None:
    """Return the path that a word of a shell names, or None if only the shell can work it out."""
    text = word if word[0] == "'" else re.sub(r"\\(.)", r"\1", word)
    is_quoted, text = text[0] in "\"'", text.strip("\"'")
    folder = str(home(environ))
    if text.startswith("~/") and not is_quoted:
        text = folder + text[1:]
    if word[0] != "'":
        known = {"HOME": folder, **{name: environ[name] for name in ("ZDOTDIR", "XDG_CONFIG_HOME") if name in environ}}
        text = re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: known.get(m[1] or m[2], m[0]), text)
    return Path(text) if text.startswith("/") and not re.search(r"[$`*?<(]", text) else None


def fish_universals(environ: Mapping[str, str]) -> Iterator[tuple[str, str, Line]]:
    """Yield fish's exported universal variables: the name, the value, and the line in fish's file."""
    for line in follow([rc_file("fish", environ).with_name("fish_variables")], environ):
        if variable := _UNIVERSAL.match(line.text):
            yield variable[1], _ESCAPE.sub(_unescaped, variable[2]), line


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    return chr(int(code, 16)) if code and int(code, 16) < 0x110000 else escape[4] or ""
