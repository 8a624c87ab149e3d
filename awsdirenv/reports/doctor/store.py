"""Checks of `doctor` on our own folder: whether we can write and lock there, and which old files are left in it."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from awsdirenv.cache.running import held_locks
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, DoctorContext, Finding
from awsdirenv.session_credentials import time_left
from awsdirenv.system.files import read_text
from awsdirenv.system.text import command_line

_MOUNTS = Path("/proc/mounts")
_NETWORK_KINDS = re.compile(
    r"(?:nfs\d?|cifs|smb\w*|9p|afs|ncpfs|ceph|glusterfs|lustre|fuse\.(?:sshfs|rclone|s3fs|gluster\w*|smb\w*))$"
)
_LOCAL_LOCKS = re.compile(r"(?:^|,)(?:nolock|local_lock=(?:all|flock))(?:,|$)")
_SHARED_LOCKS = {"nfs", "nfs4", "ceph", "glusterfs", "lustre"}  # all machines see the locks of each other
_LONG = timedelta(minutes=5)  # too long to hold a lock: a question for a code ends long before
_ELSEWHERE = "set XDG_CACHE_HOME to a folder on a local file system"


def cache_folder(context: DoctorContext) -> Iterator[Finding]:
    """Whether our folder is yours, can be written to, and can be locked."""
    root = context.paths.root
    # If our folder does not exist yet, check the folder in which it will be created.
    folder = next((path for path in (root, *root.parents) if path.exists()), Path("/"))
    info = folder.stat()
    if folder == root and info.st_uid != os.geteuid():
        yield Finding(ERROR, f"{root} belongs to another user", _ELSEWHERE, str(root))
        return
    if not stat.S_ISDIR(info.st_mode) or not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(ERROR, f"{folder} cannot be written to", f"make {folder} a writable folder", str(folder))
        return
    problem = _lock_problem(_to_lock(context, folder))
    kind, options = mount_of(os.path.realpath(folder), _mounts())
    if problem:
        yield Finding(ERROR, f"files in {folder} cannot be locked ({kind}): {problem}", _ELSEWHERE, str(folder))
    elif _NETWORK_KINDS.match(kind) and (kind not in _SHARED_LOCKS or _LOCAL_LOCKS.search(options)):
        message = f"{root} is on a network file system ({kind}), where other machines may not see our locks"
        yield Finding(WARNING, message, _ELSEWHERE, str(folder))
    elif _NETWORK_KINDS.match(kind):
        message = f"{root} is on a network file system ({kind}): locks work, and take longer"
        yield Finding(INFO, message, _ELSEWHERE, str(folder))


def locks(context: DoctorContext) -> Iterator[Finding]:
    """Whether a lock is held for too long, and what a killed process has left behind."""
    for lock in held_locks(context.paths):
        if lock.since and context.now - lock.since > _LONG:
            who = str(lock.holder or f"pid {lock.pid}")
            age = time_left(context.now, lock.since)
            hint = f"answer it, or end that process: kill {lock.pid}"
            place = str(context.paths.locks / f"{lock.name}.lock")
            yield Finding(WARNING, f"a lock has been held for {age} by {who}", hint, place)
    for path in (*_regular_files(context.paths.claims, "*"), *_regular_files(context.paths.timers, "*")):
        if path.suffix != ".used" and _is_left_over(path):
            message = "the mark of a process that was killed: harmless, the next load passes over it"
            yield Finding(INFO, message, command_line("rm", str(path)), str(path))


def snapshots(context: DoctorContext) -> Iterator[Finding]:
    """Whether credentials are stored of profiles that are no longer in AWS's files."""
    if context.files is None:
        return
    for stored in context.snapshots:
        # Other files (AWS_CONFIG_FILE) may have the profile.
        if stored.config_path != context.files.config_path or stored.profile in context.files.profiles:
            continue
        ends = stored.expiration
        is_over = ends is not None and ends <= context.now
        message = f"credentials of {stored.profile} are stored, which is no profile any more"
        hint = command_line("awsdirenv clear", stored.profile)
        yield Finding(INFO if is_over else WARNING, message, hint, str(stored.path))


def mount_of(path: str, mounts: str) -> tuple[str, str]:
    """Return the type and the options of a path's file system, "" if unknown. `mounts` is the text of /proc/mounts."""
    mount, length = ("", ""), -1
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 4:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), parts[1])
        # If two file systems are mounted at the same point, the later one counts.
        if len(point) >= length and (path + "/").startswith(point.rstrip("/") + "/"):
            mount, length = (parts[2], parts[3]), len(point)
    return mount


def _mounts() -> str:
    return read_text(_MOUNTS, errors="surrogateescape") or ""  # only Linux has this file


def _to_lock(context: DoctorContext, folder: Path) -> Path:
    """Return a lock file if there is one, else the folder. Some network file systems cannot lock a folder."""
    return next(iter(_regular_files(context.paths.locks, "*.lock")), folder)


def _lock_problem(path: Path) -> str | None:
    """Try a shared lock, which writes nothing. Return why it fails, or None if locks work (one may be held)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)  # this releases the lock
    except BlockingIOError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _is_left_over(path: Path) -> bool:
    """Return whether the process of a mark has ended. A mark younger than a minute is not judged."""
    try:
        pid = int(read_text(path) or "")
        if time.time() - path.stat().st_mtime < timedelta(minutes=1).total_seconds():
            return False
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return False


def _regular_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file() and not path.is_symlink())
