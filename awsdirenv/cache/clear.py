"""`clear`: forgetting what is stored. Lock files stay, because unlinking one would split those who wait for it."""

from __future__ import annotations

from pathlib import Path

from awsdirenv.cache import directories
from awsdirenv.cache.layout import CachePaths
from awsdirenv.cache.sessions import prepare
from awsdirenv.system import files
from awsdirenv.system.files import decode_name, encode_name
from awsdirenv.system.lock import Locks


def clear_profile(profile: str, paths: CachePaths, locks: Locks) -> int:
    """Forget every snapshot of the profile, the role sessions behind them, and its directories.

    Gives the number of files with credentials that were removed.
    """
    prepare(paths)
    removed = 0
    for snapshot in _files(paths.snapshots):
        values = files.read_private(snapshot)
        if values is None or _profile_of(values) != profile:
            continue
        with locks.hold(f"snapshot-{snapshot.name}"):
            removed += files.remove(snapshot)
        removed += _remove_sessions(values.get("AWS_ACCESS_KEY_ID", ""), paths, locks)
    for mark in _files(paths.confirmed):
        if mark.name.partition("@")[0] == encode_name(profile):
            files.remove(mark)
    directories.forget(paths, profile)
    return removed


def clear_all(paths: CachePaths, locks: Locks) -> int:
    """Forget everything but the lock files; give the number of files removed."""
    prepare(paths)
    removed = 0
    for snapshot in _files(paths.snapshots):
        with locks.hold(f"snapshot-{snapshot.name.removesuffix('.new')}"):
            removed += files.remove(snapshot)
    for session in _files(paths.sessions):
        with locks.hold(session.name.removesuffix(".new")):
            removed += files.remove(session)
    for folder in (
        paths.marks,
        paths.names,
        paths.watches,
        paths.claims,
        paths.timers,
        paths.directories,
        paths.confirmed,
    ):
        removed += sum(files.remove(file) for file in _files(folder))
    return removed


def _remove_sessions(access_key_id: str, paths: CachePaths, locks: Locks) -> int:
    removed = 0
    for session in _files(paths.sessions):
        values = files.read_private(session)
        if session.name.startswith(("role-", "source-")) and values and values.get("ACCESS_KEY_ID") == access_key_id:
            with locks.hold(session.name):
                removed += files.remove(session)
    return removed


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.is_dir())


def _profile_of(values: dict[str, str]) -> str | None:
    try:
        return decode_name(values.get("AWSDIRENV_PROFILE", ""))
    except ValueError:
        return None
