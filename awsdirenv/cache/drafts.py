"""Drafts: what a killed command leaves beside the file that it was replacing. A draft may have secrets in it.

The next run for the same file takes over its draft. For all others there is a note as long as a file outside our own
folders is being written: so `doctor` and `clear --all` find drafts wherever they are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from awsdirenv.cache import directories
from awsdirenv.cache.layout import CachePaths, session_key
from awsdirenv.cache.sessions import prepare
from awsdirenv.errors import CacheError
from awsdirenv.system import files

_KIND = "draft"


@contextlib.contextmanager
def noted(paths: CachePaths, path: Path) -> Iterator[None]:
    """Keep a note of a file of the user while it is written. It is written also if there can be no note."""
    target = os.path.realpath(path)
    note = paths.marks / session_key(_KIND, target)
    with contextlib.suppress(CacheError):
        prepare(paths)
        files.write_private(note, {"TARGET": target})
    try:
        yield
    finally:
        with contextlib.suppress(CacheError):
            files.remove(note)


def left(paths: CachePaths, folders: Iterable[Path]) -> list[Path]:
    """Return the drafts in `folders`, in the directories that we serve, beside noted files, and in our own folders."""
    noted_values = [files.read_private(note) or {} for note in _matching(paths.marks, f"{_KIND}-*")]
    targets = [Path(values["TARGET"]) for values in noted_values if "TARGET" in values]
    found = [files.draft_of(target) for target in targets]
    for folder in dict.fromkeys([*folders, *(directory.path for directory in directories.known(paths))]):
        found += _matching(folder, files.draft_of(Path("*")).name)
    for folder in paths.folders():
        found += _matching(folder, files.private_draft_of(Path("*")).name)
    return [draft for draft in dict.fromkeys(found) if os.path.lexists(draft) and not draft.is_dir()]


def _matching(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
