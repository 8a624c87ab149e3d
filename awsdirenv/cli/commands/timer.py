"""Renew a profile's credentials in the background while directories use it; the extension starts this.

The timer is a detached process for each profile in use. direnv acts only when a shell shows its prompt, and only on
files that have changed. So a process must rewrite the snapshot before its credentials end. Every shell that watches the
snapshot then takes the new one at its next prompt. The timer is a small process that mostly sleeps. It starts a new
process for each renewal.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from awsdirenv.cli.parser import add_duration, add_profile
from awsdirenv.records import Record
from awsdirenv.system import files

if TYPE_CHECKING:
    from awsdirenv.cache.layout import CachePaths

POSITION = 150
EXAMPLE = "awsdirenv timer adminrole"
# Seconds of one sleep. A sleep does not notice a suspended laptop or a clock that was set, so we check after each one.
_NAP = 20.0
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 300.0  # seconds between two tries after a failure
_RENEWAL_TIMEOUT = 300.0  # seconds
# Seconds for which one use counts, at most. AWS's own sessions live no longer; some programs say "never".
_LONGEST_USE = 36 * 3600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    add_duration(parser)


def run(options: argparse.Namespace) -> int:
    """Start a background process that renews the credentials, unless there is one."""
    from awsdirenv.cache.layout import CachePaths, snapshot_key
    from awsdirenv.cache.sessions import prepare
    from awsdirenv.config.settings import declared_profile
    from awsdirenv.errors import LockTimeoutError
    from awsdirenv.shell.extension import own_command
    from awsdirenv.system.direnv import working_directory
    from awsdirenv.system.lock import Locks, read_holder

    directory = working_directory(os.environ)
    name = declared_profile(options.profile, directory, os.environ).name
    key = snapshot_key(name, os.environ, options.duration)
    paths = CachePaths.from_environ(os.environ)
    options_for_load = [f"--duration={options.duration}"] if options.duration else []
    ready = _detach()
    if ready is None:
        return 0
    prepare(paths)
    renewal = [*own_command(), "load", "--envrc", *options_for_load, "--", name]
    timer = _Timer(paths, key, renewal, directory)
    lock = f"timer-{key}"

    def is_running() -> bool | None:
        # One that holds the lock without its mark has only just begun, or ends after its nap.
        holder = read_holder(paths.locks / f"{lock}.lock")
        return timer.is_marked(holder.pid) or None if holder else None

    with (
        contextlib.suppress(LockTimeoutError),
        Locks(paths.locks, 2 * _NAP, lambda *_: None).hold_unless(lock, is_running) as another,  # one for each profile
    ):
        if not another:
            timer.run(ready)
    return 0


class _Times(Record):
    """The times of a snapshot, and those computed from them, in seconds since the epoch."""

    issued: float
    refresh_at: float
    usable_until: float
    expiration: float

    @classmethod
    def read(cls, path: Path) -> _Times | None:
        """Read and compute the times of a snapshot. None: there is no snapshot, or it never ends."""
        from awsdirenv.session_credentials import from_epoch, refresh_at, usable_until

        values = files.read_private(path) or {}
        names = ("AWSDIRENV_ISSUED", "AWSDIRENV_EXPIRATION")
        try:
            issued, expiration = (from_epoch(int(values[name])) for name in names)
        except (KeyError, ValueError, OverflowError):
            return None
        moments = (issued, refresh_at(issued, expiration), usable_until(issued, expiration), expiration)
        return cls(*(moment.timestamp() for moment in moments))


class _Timer:
    """Keeps one snapshot fresh for as long as somebody uses it.

    `key` is the name of the snapshot, `renewal` the command that renews it once, `directory` the folder to run it in.
    The timer's mark is a file with our process id. If it is gone or has another id, we end. Next to it is the file
    `KEY.used`. Every evaluation that exports the snapshot touches this file.
    """

    def __init__(self, paths: CachePaths, key: str, renewal: Sequence[str], directory: Path) -> None:
        from awsdirenv.cache.layout import used_mark
        from awsdirenv.system import clocks

        self._snapshot = paths.snapshots / key
        self._mark = paths.timers / key
        self._used = used_mark(paths.timers, key)
        self._renewal = renewal
        self._directory = directory
        # We take the anchor from the snapshot, because the clock may have been set while we were starting.
        anchor = (files.read_private(self._snapshot) or {}).get("AWSDIRENV_CLOCK", "")
        self._anchor = anchor if clocks.is_anchor(anchor) else clocks.anchor()

    def run(self, ready: int) -> None:
        """Renew the snapshot until nobody has used it for its lifetime, or it is deleted, or the mark is gone.

        `ready` is a descriptor, which is closed as soon as the mark is made.
        """
        self._mark.touch(0o600)
        self._mark.write_text(f"{os.getpid()}\n", encoding="ascii")
        os.close(ready)
        try:
            self._keep_fresh()
        finally:
            if self.is_marked(os.getpid()):
                self._mark.unlink(missing_ok=True)

    def is_marked(self, pid: int) -> bool:
        """Return whether the mark has this process id."""
        return (files.read_text(self._mark) or "").strip() == str(pid)

    def _keep_fresh(self) -> None:
        pause, try_at = _FIRST_PAUSE, 0.0
        while self.is_marked(os.getpid()):
            if self._follow_clock():
                try_at = 0.0
            present = _Times.read(self._snapshot)
            now = time.time()
            if present is None:
                return
            if now >= present.usable_until:
                files.outdate(self._snapshot)  # so that shells unset what they have exported
                return
            if present.usable_until - now > _LONGEST_USE and not self._is_used(present, now):
                return  # the next evaluation starts a new timer
            due = max(present.refresh_at, try_at)
            if self._is_used(present, now) and now >= due:
                self._renew()
                renewed = _Times.read(self._snapshot) != present
                pause = _FIRST_PAUSE if renewed else min(pause * 2, _LONGEST_PAUSE)
                # At most a sixth of the time left, because some credentials live for a minute only.
                seconds_left = max(present.usable_until - now, 0)
                try_at = 0.0 if renewed else time.time() + min(pause, max(seconds_left / 6, 1.0))
                continue
            until = present.usable_until if not self._is_used(present, now) else min(due, present.usable_until)
            time.sleep(max(0.2, min(_NAP, until - now)))

    def _follow_clock(self) -> bool:
        """If the clock was set, correct the time of last use, and renew the snapshot. Return whether it was set."""
        from awsdirenv.system import clocks

        seconds = clocks.set_since(self._anchor).total_seconds() if self._anchor else 0
        if not seconds:
            return False
        self._anchor = clocks.anchor()
        with contextlib.suppress(OSError):
            used = self._used.stat().st_mtime + seconds
            os.utime(self._used, (used, used))
        self._renew()
        return True

    def _renew(self) -> None:
        """Run one renewal. It asks nobody and prints nothing, because the present credentials are still valid."""
        null = subprocess.DEVNULL
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            cwd = self._directory if self._directory.is_dir() else None
            subprocess.run(
                self._renewal, cwd=cwd, stdin=null, stdout=null, stderr=null, timeout=_RENEWAL_TIMEOUT, check=False
            )

    def _is_used(self, present: _Times, now: float) -> bool:
        """Return whether an evaluation has exported the snapshot within its lifetime, or within `_LONGEST_USE`.

        A time of use in the future counts too: it was written before the clock was set back.
        """
        try:
            used = self._used.stat().st_mtime
        except OSError:
            return False
        return now - used < min(present.expiration - present.issued, _LONGEST_USE)


def _detach() -> int | None:
    """Fork a process that nobody waits for: without a terminal, and without direnv's pipes.

    As long as a process of ours holds a pipe of direnv open, direnv waits for it, and the shell waits for direnv.

    Returns:
        None in the first process, once the other one has ended or has closed its descriptor: until then the extension
        starts no second timer. In the other one, that descriptor.

    """
    waiting, ready = os.pipe()
    if os.fork():
        os.close(ready)
        os.read(waiting, 1)
        return None
    os.setsid()
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)  # ends at once: only the first process may run exit handlers
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, ready)
    os.closerange(ready + 1, 256)
    os.chdir("/")  # otherwise the folder's file system could not be unmounted
    return ready
