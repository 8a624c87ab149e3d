"""Which of our processes run: who holds a lock, and which timers there are. Asks /proc, and takes no lock for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from awsdirenv.cache.layout import CachePaths
from awsdirenv.records import Record
from awsdirenv.session_credentials import from_epoch
from awsdirenv.system.files import decode_name, read_text
from awsdirenv.system.lock import Holder, read_note

_PROC = Path("/proc")
_TIMERS = "timer-"  # how the locks begin that timers hold for as long as they live, which keep nobody waiting


class HeldLock(Record):
    """A lock that somebody holds. `holder` and `since` are of the note that says what for, where there is one."""

    name: str
    pid: int
    since: datetime | None
    holder: Holder | None


class RunningTimer(Record):
    """A process that renews a snapshot. `key` is the snapshot's name."""

    profile: str
    key: str
    pid: int


def held_locks(paths: CachePaths) -> list[HeldLock]:
    """Return the locks that are held on this machine, by name. Notes of processes that have ended do not count."""
    folder = os.path.realpath(paths.locks)
    found = {link: pid for pid in _flock_holders() for link in _locked_files(pid, folder)}
    return [_held(Path(link), pid) for link, pid in sorted(found.items()) if not Path(link).name.startswith(_TIMERS)]


def running_timers(paths: CachePaths) -> list[RunningTimer]:
    """Return the timers that run on this machine, by the names of their snapshots."""
    found = []
    for mark in _listed(paths.timers):
        with suppress(OSError, ValueError):
            profile = decode_name(mark.partition("@")[0])
            path = paths.timers / mark
            pid = int(read_text(path) or "")
            words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
            # A number alone may be another process's by now.
            if b"timer" in words and os.fsencode(profile) in words:
                found.append(RunningTimer(profile, mark, pid))
    return found


def _held(path: Path, pid: int) -> HeldLock:
    note, since = read_note(path), None
    if note and note.pid == pid:
        with suppress(OSError):
            since = from_epoch(path.stat().st_mtime)
    return HeldLock(path.name.removesuffix(".lock"), pid, since, note if note and note.pid == pid else None)


def _flock_holders() -> set[int]:
    """Return the processes that hold a flock. A line is like `1: FLOCK ADVISORY WRITE 4711 fe:00:2148074 0 EOF`."""
    try:
        lines = (_PROC / "locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return set()
    fields = [line.split() for line in lines]
    return {int(words[4]) for words in fields if len(words) > 4 and words[1] == "FLOCK" and words[4].isdigit()}


def _locked_files(pid: int, folder: str) -> Iterator[str]:
    """Yield the files below a folder that a process has locked.

    The numbers in /proc/locks are not those of `stat` on every file system, so its open files are looked at.
    """
    for descriptor in _listed(_PROC / str(pid) / "fd"):
        with suppress(OSError):
            link = os.readlink(_PROC / str(pid) / "fd" / descriptor)
            if os.path.dirname(link) == folder and link.endswith(".lock"):
                told = (_PROC / str(pid) / "fdinfo" / descriptor).read_text(encoding="ascii")
                if any(line.startswith("lock:") and " FLOCK " in line for line in told.splitlines()):
                    yield link


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
