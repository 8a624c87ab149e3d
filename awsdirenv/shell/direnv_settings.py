"""Two settings in direnv.toml, by which direnv leaves a question for a code alone: `setup` adds and removes them.

The file is the user's. So only lines are added and removed, those that we have added end with our comment, and direnv
itself says before we write that it reads the new file, and everything else in it as before.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from awsdirenv.errors import SetupError
from awsdirenv.system.files import direnv_lib, make_folder, read_bytes, replace_file
from awsdirenv.system.subprocesses import output_of

_TIMEOUT = 4.0  # seconds
# Each line with the first direnv that knows it.
_SETTINGS = {'warn_timeout = "60s"': (2, 0), "hide_env_diff = true": (2, 34)}
_COMMENT = "  # awsdirenv setup --direnv-settings"
_GLOBAL = re.compile(r"^[ \t]*\[[ \t]*global[ \t]*\][ \t]*(?:#.*)?$")
_HEADER = re.compile(r"^[ \t]*\[")
# What would need a parser of TOML: texts of several lines, and other ways to write the table.
_TOO_CLEVER = re.compile(r"\"\"\"|'''|^[ \t]*[\"']?global[\"']?[ \t]*[=.]|^[ \t]*\[.*[\"']global[\"']", re.MULTILINE)


def file_of(environ: Mapping[str, str]) -> Path:
    """Return the file from which direnv reads its settings: config.toml only where there is no direnv.toml."""
    folder = direnv_lib(environ).parent
    toml, older = folder / "direnv.toml", folder / "config.toml"
    return older if older.exists() and not toml.exists() else toml


def are_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether direnv is there, and has the warn_timeout with which it writes into questions."""
    return _version(environ) is not None and not _sets(_text(file_of(environ)) or "", "warn_timeout")


def added(text: str, version: tuple[int, ...]) -> str | None:
    """Return a direnv.toml with the settings that this direnv knows, and that are not in it. None: it is too clever."""
    wanted = [line for line, since in _SETTINGS.items() if version >= since and not _sets(text, line.split()[0])]
    if not wanted:
        return text
    if _TOO_CLEVER.search(text):
        return None
    end = "\r\n" if "\r\n" in text else "\n"
    ours = [f"{line}{_COMMENT}{end}" for line in wanted]
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += end
    header = next((number for number, line in enumerate(lines) if _GLOBAL.match(line.rstrip())), None)
    if header is not None:
        lines[header + 1 : header + 1] = ours
    else:
        lines += [*([end] if lines else []), f"[global]{_COMMENT}{end}", *ours]
    return "".join(lines)


def removed(text: str) -> str:
    """Return a direnv.toml without the lines that `added` has added; the table stays if the user has put more in it."""
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if _HEADER.match(line) or not line.rstrip().endswith(_COMMENT.strip())]
    for number, line in enumerate(kept):
        if not line.rstrip().endswith(_COMMENT.strip()):
            continue
        below = [other for other in kept[number + 1 :] if other.strip() and not other.lstrip().startswith("#")]
        if below and not _HEADER.match(below[0]):
            kept[number] = line.replace(_COMMENT, "")
        else:
            start = number - 1 if number and not kept[number - 1].strip() else number
            del kept[start : number + 1]
        break
    return "".join(kept)


def add(environ: Mapping[str, str], say: Callable[[str], None], *, dry_run: bool = False) -> bool:
    """Show the settings and add them, unless it is a dry run. Return whether they are there then, or would be.

    Raises SetupError.
    """
    path, version = file_of(environ), _version(environ)
    if version is None:
        say(f"  {path} stays as it is: direnv is not installed")
        return False
    text = _text(path)
    before = text or ""
    after = None if text is None and path.exists() else added(before, version)
    if after == before:
        say(f"  {path} has them already")
        return True
    if after is None or not _direnv_agrees(before, after, environ):
        say(f"  {path} stays as it is; add to [global] by hand:")
        for line in _SETTINGS:
            say(f"    {line}")
        return False
    _show(path, before, after, say)
    if not dry_run:
        _write(path, after)
    return True


def remove(environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Show and take back what `add` has added. Raises SetupError."""
    path = file_of(environ)
    before = _text(path) or ""
    after = removed(before)
    if after == before:
        return
    _show(path, before, after, say)
    _write(path, after)


def _sets(text: str, name: str) -> bool:
    return re.search(rf"^[^#\n]*\b{name}\b[\"']?[ \t]*=", text, re.MULTILINE) is not None


def _text(path: Path) -> str | None:
    data = read_bytes(path)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _version(environ: Mapping[str, str]) -> tuple[int, ...] | None:
    version = re.match(r"v?(\d+)\.(\d+)", output_of(["direnv", "version"], _TIMEOUT, environ) or "")
    return (int(version[1]), int(version[2])) if version else None


def _direnv_agrees(before: str, after: str, environ: Mapping[str, str]) -> bool:
    """Return whether direnv reads both texts, and they differ in nothing that it tells but our setting."""
    told = []
    for text in (before, after):
        with tempfile.TemporaryDirectory(prefix="awsdirenv-") as folder:
            Path(folder, "direnv.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
            output = output_of(["direnv", "status"], _TIMEOUT, {**environ, "DIRENV_CONFIG": folder})
        told.append(re.sub(r"^(?:DIRENV_CONFIG|warn_timeout) .*\n", "", output or "", flags=re.MULTILINE))
    return bool(told[0]) and told[0] == told[1]


def _show(path: Path, before: str, after: str, say: Callable[[str], None]) -> None:
    say(f"{'~' if path.exists() else '+'} {path}")
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            say(f"  {line}")


def _write(path: Path, text: str) -> None:
    """Write the file, or remove it if nothing is left in it. Raises SetupError."""
    target = Path(os.path.realpath(path))  # it may be a link into a repository of dotfiles, and the link must stay
    try:
        if not text.strip() and not path.is_symlink():
            path.unlink(missing_ok=True)
            return
        make_folder(path.parent)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        replace_file(target, text.encode("utf-8", "surrogateescape"), mode)
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror}", f"make {target.parent} writable") from None
