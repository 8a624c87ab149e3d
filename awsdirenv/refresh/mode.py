"""Tells the extension which AWSDIRENV_MODE the `.env` next to an `.envrc` declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths, mode_key
from awsdirenv.cache.sessions import prepare
from awsdirenv.cache.snapshots import ModeNote
from awsdirenv.config import dotenv
from awsdirenv.config.environment import variables_text
from awsdirenv.config.settings import Settings
from awsdirenv.errors import SettingError
from awsdirenv.system.lock import Locks
from awsdirenv.system.stamps import file_stamp


def note_mode(directory: Path, environ: Mapping[str, str]) -> None:
    """Write down what the `.env` of a directory declares. Raises SettingError, ConfigError and CacheError."""
    file, paths = directory / ".env", CachePaths.from_environ(environ)
    if not file.is_file():
        return
    stamp = file_stamp(str(file))  # before it is read, so that an edit in between is noticed later
    mode, variables = dotenv.read_for_extension(file, "AWSDIRENV_MODE")
    if mode not in (None, "", "live", "keys"):
        raise SettingError(
            f"AWSDIRENV_MODE in {file} must be live or keys: {mode}", f"write AWSDIRENV_MODE=live into {file}"
        )
    note = ModeNote(mode or "", stamp, variables_text(variables, environ))
    prepare(paths)
    key = mode_key(file)
    with Locks(paths.locks, Settings.lock_timeout.total_seconds(), lambda *_: None).hold(f"name-{key}"):
        snapshots.write_mode(paths.names / key, note)
