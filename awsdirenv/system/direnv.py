"""What direnv tells the process it runs: which directory this is, and whether it was loaded already."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from awsdirenv.errors import DirectoryError
from awsdirenv.records import Record


class Evaluation(Record):
    """One evaluation of an `.envrc`. `envrc_mtime` is in whole epoch seconds, 0 where there is no such file."""

    directory: Path
    envrc_mtime: int
    is_entering: bool

    @classmethod
    def current(cls, environ: Mapping[str, str]) -> Evaluation:
        """Tell entering (or `direnv reload`) from a reload that only a watched file caused.

        The extension exports AWSDIRENV_LOADED (time of the `.envrc`, directory) whenever it ran. direnv hides it from
        `.envrc` itself, but DIRENV_DIFF, present on a reload in place, holds it. `direnv reload` touches the `.envrc`.
        """
        directory = working_directory(environ)
        try:
            mtime = int((directory / ".envrc").stat().st_mtime)
        except OSError:
            mtime = 0
        loaded = (_values(environ.get("DIRENV_DIFF", ""), "n") or {}).get("AWSDIRENV_LOADED")
        return cls(directory, mtime, is_entering=loaded != f"{mtime} {directory}")


def opened_profile(environ: Mapping[str, str]) -> str | None:
    """Give the profile that this directory was open for before it is evaluated now; None if it was closed, or new."""
    return (_values(environ.get("DIRENV_DIFF", ""), "n") or {}).get("AWSDIRENV_PROFILE")


def without_ours(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Give the environment as it was outside the directory that direnv has loaded, as far as `names` go.

    A command typed in a directory of ours starts from what `.envrc` started from: the variables that lead to a
    container's role, or keys that a profile takes from the environment.
    """
    if "AWSDIRENV_LOADED" not in environ:
        return dict(environ)
    before = _values(environ.get("DIRENV_DIFF", ""), "p")
    if before is None:
        return dict(environ)
    kept = {name: value for name, value in environ.items() if name not in names}
    return {**kept, **{name: value for name, value in before.items() if name in names and isinstance(value, str)}}


def exported(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Give the variables that direnv's last evaluation has changed, as it left them: None for one it has unset."""
    after, before = (_values(environ.get("DIRENV_DIFF", ""), which) or {} for which in "np")
    return {**dict.fromkeys(before), **after}


def loaded_directory(environ: Mapping[str, str]) -> Path | None:
    """Give the directory that direnv has loaded, with us in it: its `.envrc` is one that the person has allowed."""
    _, _, directory = environ.get("AWSDIRENV_LOADED", "").partition(" ")
    return Path(directory) if directory.startswith("/") else None


def working_directory(environ: Mapping[str, str]) -> Path:
    """Give the working directory by the name the shell has for it, as bash's $PWD, where that name is true."""
    logical = environ.get("PWD", "")
    try:
        if logical.startswith("/") and os.path.samefile(logical, "."):
            return Path(logical)
    except OSError:
        pass
    try:
        return Path.cwd()
    except OSError:
        raise DirectoryError("the working directory is gone", "cd to a folder that is there") from None


def decode(text: str) -> object:
    """Give what direnv has put into a variable (zlib-compressed JSON in URL-safe base64), or None for anything else."""
    import base64  # noqa: PLC0415
    import json  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        return json.loads(zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
    except (ValueError, zlib.error, RecursionError):
        return None


def _values(diff: str, which: str) -> dict[str, str] | None:
    """Give the values that direnv's last evaluation set (`n`), or replaced (`p`), or None where it does not say."""
    decoded = decode(diff)
    values = decoded.get(which) if isinstance(decoded, dict) else None
    return values if isinstance(values, dict) else None
