"""Delete a profile's stored credentials, or with --all everything, also the MFA sessions.

Lock files stay, because deleting one would split the processes that wait for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from awsdirenv.cli.output import say
from awsdirenv.cli.parser import add_profile
from awsdirenv.errors import UsageError
from awsdirenv.system import files
from awsdirenv.system.files import decode_name, encode_name

if TYPE_CHECKING:
    from awsdirenv.cache.layout import CachePaths
    from awsdirenv.system.lock import Locks

POSITION = 80
GROUP = "every day"
EXAMPLE = "awsdirenv clear adminrole"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    parser.add_argument("--all", action="store_true", help="delete everything")


def run(options: argparse.Namespace) -> int:
    """Delete the stored credentials, and print how many files that were."""
    from awsdirenv.cli.loading import loading
    from awsdirenv.refresh.request import Request

    if options.all and options.profile:
        raise UsageError("clear takes a PROFILE or --all, not both", "awsdirenv clear --help")
    with loading(Request(options.profile)) as loader:
        if options.all:
            count = _remove_drafts(loader.paths, loader.environ) + _clear_all(loader.paths, loader.locks)
            say(f"awsdirenv: deleted everything ({count} files)")
        else:
            count = _clear_profile(loader.declared.name, loader.paths, loader.locks)
            say(
                f"awsdirenv: deleted the credentials of {loader.declared.name} ({count} files); "
                "MFA sessions are shared and stay: awsdirenv clear --all"
            )
    return 0


def _clear_profile(profile: str, paths: CachePaths, locks: Locks) -> int:
    """Delete the snapshots of the profile, the role sessions behind them, and the notes of its directories.

    Return the number of files with credentials that were removed.
    """
    from awsdirenv.cache import directories
    from awsdirenv.cache.sessions import prepare

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


def _remove_drafts(paths: CachePaths, environ: Mapping[str, str]) -> int:
    """Delete the drafts that killed commands have left. Return the number of deleted files."""
    from awsdirenv.aws import sso_token
    from awsdirenv.cache import drafts
    from awsdirenv.shell.extension import own_folders

    folders = [*own_folders(environ), sso_token.folder(environ)]
    return sum(files.remove(draft) for draft in drafts.left(paths, folders))


def _clear_all(paths: CachePaths, locks: Locks) -> int:
    """Delete everything but the lock files and LASTING_MARKS. Return the number of deleted files."""
    from awsdirenv.cache.sessions import LASTING_MARKS, prepare

    prepare(paths)
    removed = 0
    for snapshot in _files(paths.snapshots):
        with locks.hold(f"snapshot-{files.name_of(snapshot)}"):
            removed += files.remove(snapshot)
    for session in _files(paths.sessions):
        with locks.hold(files.name_of(session)):
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
        removed += sum(files.remove(file) for file in _files(folder) if not file.name.startswith(LASTING_MARKS))
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
