"""One detached process per profile in use, which renews its credentials while everybody sits still.

direnv has no notion of time: it looks only when a shell shows its prompt, and only at files. So somebody has to rewrite
the snapshot before its end; every shell that watches it then has the new one at its next prompt. The timer itself is
small and naps; what it runs for a renewal is a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from awsdirenv.cache.layout import CachePaths
from awsdirenv.system import clocks, private_files

_NAP = 20.0  # seconds: naps end by the wall clock, so a suspended laptop is noticed after one of them at most
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 300.0  # seconds between attempts that fail
_LONGEST = 300.0  # seconds for one attempt


@dataclass(frozen=True)
class _Generation:
    """What the timer needs to know of a snapshot. All in epoch seconds."""

    issued: float
    refresh_at: float
    usable_until: float
    expiration: float

    @classmethod
    def read(cls, path: Path) -> _Generation | None:
        values = private_files.read_private(path) or {}
        names = ("ISSUED", "REFRESH_AT", "USABLE_UNTIL", "EXPIRATION")
        try:
            return cls(*(float(values[f"AWSDIRENV_{name}"]) for name in names))
        except (KeyError, ValueError):
            return None  # cleared, or one that never ends


class Timer:
    """Keeps one snapshot fresh for as long as somebody uses it.

    Its mark holds our process id: whoever empties it ends us. Beside it is a file that every evaluation touches that
    exports the snapshot.
    """

    def __init__(self, paths: CachePaths, key: str, renewal: Sequence[str], directory: Path) -> None:
        """Take the folders, the snapshot's name, the command that renews it once, and the folder to run that in."""
        self._snapshot = paths.snapshots / key
        self._mark = paths.timers / key
        self._used = paths.timers / f"{key}.used"
        self._renewal = renewal
        self._directory = directory
        # The snapshot's own, since the clock may have been set while we were started.
        anchor = (private_files.read_private(self._snapshot) or {}).get("AWSDIRENV_CLOCK", "")
        self._anchor = anchor if clocks.is_anchor(anchor) else clocks.anchor()

    def run(self) -> None:
        """Renew ahead of time until nobody uses the profile for its life, it is cleared, or we are told to end."""
        self._mark.touch(0o600)
        self._mark.write_text(f"{os.getpid()}\n", encoding="ascii")
        try:
            self._keep_fresh()
        finally:
            if self._is_wanted():
                self._mark.unlink(missing_ok=True)

    def _keep_fresh(self) -> None:
        pause, try_at = _FIRST_PAUSE, 0.0
        while self._is_wanted():
            if self._follow_clock():
                try_at = 0.0
            present = _Generation.read(self._snapshot)
            now = time.time()
            if present is None:
                return
            if now >= present.usable_until:
                private_files.outdate(self._snapshot)  # what the shells have exported is over
                return
            due = max(present.refresh_at, try_at)
            if self._is_used(present, now) and now >= due:
                self._renew()
                renewed = _Generation.read(self._snapshot) != present
                pause = _FIRST_PAUSE if renewed else min(pause * 2, _LONGEST_PAUSE)
                # Not sooner than a sixth of what is left: generations of a minute exist, and must not be missed.
                left = max(present.usable_until - now, 0)
                try_at = 0.0 if renewed else time.time() + min(pause, max(left / 6, 1.0))
                continue
            until = present.usable_until if not self._is_used(present, now) else min(due, present.usable_until)
            time.sleep(max(0.2, min(_NAP, until - now)))

    def _follow_clock(self) -> bool:
        """Have what goes by the wall clock put right if that was set; say whether it was."""
        by = clocks.set_since(self._anchor).total_seconds() if self._anchor else 0
        if not by:
            return False
        self._anchor = clocks.anchor()
        with contextlib.suppress(OSError):
            used = self._used.stat().st_mtime + by
            os.utime(self._used, (used, used))
        self._renew()
        return True

    def _renew(self) -> None:
        """Run one renewal. It asks nobody, and what it says nobody hears: the present credentials still hold."""
        null = subprocess.DEVNULL
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            cwd = self._directory if self._directory.is_dir() else None
            subprocess.run(self._renewal, cwd=cwd, stdin=null, stdout=null, stderr=null, timeout=_LONGEST, check=False)

    def _is_wanted(self) -> bool:
        try:
            return self._mark.read_text(encoding="ascii").strip() == str(os.getpid())
        except (OSError, ValueError):
            return False

    def _is_used(self, present: _Generation, now: float) -> bool:
        """Whether an evaluation exported it within one life; one in the future is from before the clock was set."""
        try:
            used = self._used.stat().st_mtime
        except OSError:
            return False
        return now - used < present.expiration - present.issued


def detach() -> bool:
    """Leave the terminal, the session and direnv's pipes; True in the process that goes on, which nobody waits for.

    A descriptor of direnv's that stays open would hold its prompt until we end.
    """
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)  # nothing of ours is to be tidied up twice
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, 256)
    os.chdir("/")  # or nobody could unmount where it was started
    return True
