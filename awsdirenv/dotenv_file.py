"""`.env` files, read and updated through python-dotenv, which is imported only here and only when there is one."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.errors import ConfigError, SetupError


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


def update(path: Path, values: Mapping[str, str], stale: frozenset[str]) -> None:
    """Set `values` and drop `stale` names in place; every other key and comment stays. The result is 0600.

    Raises SetupError, with the old file untouched.
    """
    from dotenv import set_key, unset_key  # noqa: PLC0415

    logging.getLogger("dotenv").addHandler(logging.NullHandler())
    target = Path(os.path.realpath(path))  # a linked `.env` keeps its link
    draft = None
    try:
        # mkstemp makes 0600: the file is never readable by others, not even before it is complete.
        descriptor, name = tempfile.mkstemp(prefix=".awsdirenv-", dir=target.parent)
        os.close(descriptor)
        draft = Path(name)
        if target.exists():
            shutil.copyfile(target, draft)
        for key in stale:
            unset_key(draft, key)
        for key, value in values.items():
            set_key(draft, key, value, quote_mode="auto")
        draft.chmod(0o600)
        draft.replace(target)
    except (OSError, UnicodeDecodeError) as error:
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink()
        raise SetupError(f"cannot write {path}: {_reason(error)}", "choose another --output") from None


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return getattr(error, "strerror", None) or type(error).__name__
