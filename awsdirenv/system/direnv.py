"""Reads what direnv tells its child processes: the directory, and whether it was loaded before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from awsdirenv.errors import DirectoryError
from awsdirenv.records import Record


class Evaluation(Record):
    """One evaluation of an `.envrc`. `envrc_mtime` is in whole seconds since the epoch, 0 if there is no such file."""

    directory: Path
    envrc_mtime: int
    is_entering: bool

    @classmethod
    def current(cls, environ: Mapping[str, str]) -> Evaluation:
        """Return the present evaluation. `is_entering` is False for a reload that only a watched file has caused.

        The extension always exports AWSDIRENV_LOADED (time of the `.envrc`, directory). direnv hides it from the
        `.envrc`, but it is in DIRENV_DIFF, which exists if the same directory is loaded again. `direnv reload` touches
        the `.envrc`, so it counts as entering.
        """
        directory = working_directory(environ)
        try:
            mtime = int((directory / ".envrc").stat().st_mtime)
        except OSError:
            mtime = 0
        loaded = (_values(environ.get("DIRENV_DIFF", ""), "n") or {}).get("AWSDIRENV_LOADED")
        return cls(directory, mtime, is_entering=loaded != f"{mtime} {directory}")


def opened_profile(environ: Mapping[str, str]) -> str | None:
    """Return the profile that this directory was open for before this evaluation. None: it was closed or not loaded."""
    return (_values(environ.get("DIRENV_DIFF", ""), "n") or {}).get("AWSDIRENV_PROFILE")


def without_ours(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the environment with the variables `names` as they were outside the loaded directory.

    A command that is typed in a directory of ours must start from the same values as the `.envrc`: the variables that
    lead to a container's role, or keys that a profile takes from the environment.
    """
    if "AWSDIRENV_LOADED" not in environ:
        return dict(environ)
    before = _values(environ.get("DIRENV_DIFF", ""), "p")
    if before is None:
        return dict(environ)
    kept = {name: value for name, value in environ.items() if name not in names}
    return {**kept, **{name: value for name, value in before.items() if name in names and isinstance(value, str)}}


def exported(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables that direnv's last evaluation has changed, with their new values. None: it was unset."""
    after, before = (_values(environ.get("DIRENV_DIFF", ""), which) or {} for which in "np")
    return {**dict.fromkeys(before), **after}


def loaded_directory(environ: Mapping[str, str]) -> Path | None:
    """Return the directory that direnv has loaded and that uses us. So the user has allowed its `.envrc`."""
    _, _, directory = environ.get("AWSDIRENV_LOADED", "").partition(" ")
    return Path(directory) if directory.startswith("/") else None


def working_directory(environ: Mapping[str, str]) -> Path:
    """Return the working directory by the shell's name for it ($PWD), if that is correct. Raises DirectoryError."""
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
    """Return the content of a variable of direnv (zlib-compressed JSON in URL-safe base64). None for anything else."""
    import base64  # noqa: PLC0415
    import json  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        return json.loads(zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
    except (ValueError, zlib.error, RecursionError):
        return None


def _values(diff: str, which: str) -> dict[str, str] | None:
    """Return the values that direnv's last evaluation has set (`n`) or replaced (`p`). None if they are not there."""
    decoded = decode(diff)
    values = decoded.get(which) if isinstance(decoded, dict) else None
    return values if isinstance(values, dict) else None
