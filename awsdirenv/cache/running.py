"""Which of our processes run: who holds a lock, and which timers there are. Asks /proc, and takes no lock for it."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from awsdirenv.cache.layout import CachePaths
from awsdirenv.records import Record
from awsdirenv.session_credentials import from_epoch
from awsdirenv.system.files import decode_name, read_text
from awsdirenv.system.lock import Holder, read_holder

_PROC = Path("/proc")
_TIMERS = "timer-"  # how the locks begin that timers hold for as long as they live, which keep nobody waiting


class HeldLock(Record):
    """A lock that somebody holds. `holder` says what for, where that is known; `since` is when it was last said."""

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
    """Return the locks that are held on this machine, by name. Notes of processes that have let go do not count."""
    folder = os.path.realpath(paths.locks)
    names = [name for name in _listed(paths.locks) if name.endswith(".lock") and not name.startswith(_TIMERS)]
    holders = {name: holder for name in names if (holder := read_holder(paths.locks / name))}
    locked = {pid: _locked_files(pid, folder) for pid in {holder.pid for holder in holders.values()}}
    return [_held(paths.locks / name, holder) for name, holder in holders.items() if name in locked[holder.pid]]


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


def _held(path: Path, holder: Holder) -> HeldLock:
    since = None
    with suppress(OSError):
        since = from_epoch(path.stat().st_mtime)
    return HeldLock(path.name.removesuffix(".lock"), holder.pid, since, holder if holder.doing else None)


def _locked_files(pid: int, folder: str) -> set[str]:
    """Return the names of the files in a folder that a process has locked.

    /proc/locks would tell of all processes, but the kernel takes 10 ms to make it.
    """
    found = set()
    for descriptor in _listed(_PROC / str(pid) / "fd"):
        with suppress(OSError):
            place, _, name = os.readlink(_PROC / str(pid) / "fd" / descriptor).rpartition("/")
            if place == folder:
                told = (_PROC / str(pid) / "fdinfo" / descriptor).read_text(encoding="ascii")
                if any(line.startswith("lock:") and " FLOCK " in line for line in told.splitlines()):
                    found.add(name)
    return found


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
