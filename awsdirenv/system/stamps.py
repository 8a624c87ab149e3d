"""The state of a file as `stat` prints it. The extension asks a program, Python the kernel, and both compare texts.

What differs between machines stands here and in one line of the extension, which `setup` writes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta

IS_BSD = sys.platform == "darwin" or "bsd" in sys.platform
# Owner, mode, size, modification time in seconds, device, inode, and change time with nanoseconds; then the name, and a
# slash as its end. GNU's, uutils' and busybox' programs print the same for %z where TZ is UTC0.
_STATE = "%u %Lp %z %m %d:%i:%Fc" if IS_BSD else "%u %a %s %Y %d:%i:%z"
_NAME = " @ %N/" if IS_BSD else " @ %n/"
OPTIONS = ("-L", "-f" if IS_BSD else "-c", _STATE + _NAME, "--")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 # in UTC, as the program is told


def file_stamp(path: str) -> str:
    """Return a text for one state of a file, with its path.

    Modification times do not tell: home-manager gives every generation the same one, and a restored backup an older.
    """
    try:
        return f"{_state(os.stat(path))} @ {path}"
    except OSError:
        return f"absent @ {path}"


def stamped_path(stamp: str) -> str:
    """Return the path that a stamp is of."""
    return stamp.partition(" @ ")[2]


def look(paths: Iterable[str]) -> str:
    """Return what the program prints for these paths: a line for each that is there."""
    stamps = (file_stamp(path) for path in paths)
    return "".join(f"{stamp}/\n" for stamp in stamps if not stamp.startswith("absent "))


def _state(info: os.stat_result) -> str:
    seconds, nanoseconds = divmod(info.st_ctime_ns, 10**9)
    changed = f"{seconds}.{nanoseconds:09d}"
    if not IS_BSD:
        changed = f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{nanoseconds:09d} +0000"
    mode = info.st_mode & (0o777 if IS_BSD else 0o7777)
    modified = info.st_mtime_ns // 10**9
    return f"{info.st_uid} {mode:o} {info.st_size} {modified} {info.st_dev}:{info.st_ino}:{changed}"
