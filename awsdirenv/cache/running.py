"""Which of our processes run: who holds a lock, and which timers there are. Asks /proc where that is there."""

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
    names = [name for name in _listed(paths.locks) if name.endswith(".lock") and not name.startswith(_TIMERS)]
    holders = {paths.locks / name: read_holder(paths.locks / name) for name in names}
    return [_held(path, holder) for path, holder in holders.items() if holder and _is_held(path, holder.pid)]


def running_timers(paths: CachePaths) -> list[RunningTimer]:
    """Return the timers that run on this machine, by the names of their snapshots."""
    found = []
    for mark in _listed(paths.timers):
        with suppress(ValueError):
            profile = decode_name(mark.partition("@")[0])
            pid = int(read_text(paths.timers / mark) or "")
            # A number alone may be another process's by now.
            if _is_held(paths.locks / f"{_TIMERS}{mark}.lock", pid):
                found.append(RunningTimer(profile, mark, pid))
    return found


def _held(path: Path, holder: Holder) -> HeldLock:
    since = None
    with suppress(OSError):
        since = from_epoch(path.stat().st_mtime)
    return HeldLock(path.name.removesuffix(".lock"), holder.pid, since, holder if holder.doing else None)


def _is_held(path: Path, pid: int) -> bool:
    """Return whether a process holds a lock.

    /proc/locks would tell of all processes, but the kernel takes 10 ms to make it. Without /proc we try the lock. Who
    takes it at that moment finds it held, so that is the second choice.
    """
    process, target = _PROC / str(pid), os.path.realpath(path)
    descriptors = _listed(process / "fd")
    if not descriptors:
        holder = read_holder(path)
        return holder is not None and holder.pid == pid and _is_locked(path)
    for descriptor in descriptors:
        with suppress(OSError):
            if os.readlink(process / "fd" / descriptor) == target:
                told = (process / "fdinfo" / descriptor).read_text(encoding="ascii")
                if any(line.startswith("lock:") and " FLOCK " in line for line in told.splitlines()):
                    return True
    return False


def _is_locked(path: Path) -> bool:
    import fcntl  # noqa: PLC0415 - only a machine without /proc needs it

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
