"""One detached process per profile in use, which renews its credentials while everybody sits still.

direnv has no notion of time: it looks only when a shell shows its prompt, and only at files. So somebody has to rewrite
the snapshot before its end; every shell that watches it then has the new one at its next prompt. The timer itself is
small and naps; what it runs for a renewal is a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from awsdirenv import files

_NAP = 20.0  # seconds: naps end by the wall clock, so a suspended laptop is noticed after one of them at most
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 300.0  # seconds between attempts that fail


@dataclass(frozen=True)
class _Generation:
    """What the timer needs to know of a snapshot. All in epoch seconds."""

    issued: float
    refresh_at: float
    usable_until: float
    expiration: float

    @classmethod
    def read(cls, path: Path) -> _Generation | None:
        values = files.read_private(path) or {}
        names = ("ISSUED", "REFRESH_AT", "USABLE_UNTIL", "EXPIRATION")
        try:
            return cls(*(float(values[f"AWSDIRENV_{name}"]) for name in names))
        except (KeyError, ValueError):
            return None  # cleared, or one that never ends


@dataclass
class Timer:
    """Keeps one snapshot fresh for as long as somebody uses it.

    `mark` holds our process id: whoever empties it ends us. `used` is touched by every evaluation that exports the
    snapshot. `renew` tries once, without asking anybody.
    """

    snapshot: Path
    mark: Path
    used: Path
    renew: Callable[[], None]

    def run(self) -> None:
        """Renew ahead of time until nobody uses the profile for its life, it is cleared, or we are told to end."""
        self.mark.write_text(f"{os.getpid()}\n", encoding="ascii")
        pause, try_at = _FIRST_PAUSE, 0.0
        while self._is_wanted():
            present = _Generation.read(self.snapshot)
            now = time.time()
            if present is None:
                return
            if now >= present.usable_until:
                self._wake_shells(present)
                return
            due = max(present.refresh_at, try_at)
            if self._is_used(present, now) and now >= due:
                self.renew()
                renewed = _Generation.read(self.snapshot) != present
                pause = _FIRST_PAUSE if renewed else min(pause * 2, _LONGEST_PAUSE)
                # Not sooner than a sixth of what is left: generations of a minute exist, and must not be missed.
                left = max(present.usable_until - now, 0)
                try_at = 0.0 if renewed else time.time() + min(pause, max(left / 6, 1.0))
                continue
            until = present.usable_until if not self._is_used(present, now) else min(due, present.usable_until)
            time.sleep(max(0.2, min(_NAP, until - now)))

    def _is_wanted(self) -> bool:
        try:
            return self.mark.read_text(encoding="ascii").strip() == str(os.getpid())
        except (OSError, ValueError):
            return False

    def _is_used(self, present: _Generation, now: float) -> bool:
        """Whether an evaluation exported it within one life of its credentials; one in the future is from a set clock."""
        try:
            used = self.used.stat().st_mtime
        except OSError:
            return False
        return now - used < present.expiration - present.issued

    def _wake_shells(self, present: _Generation) -> None:
        """Have every shell that watches the snapshot look again: what it exported is over, and only we know."""
        with contextlib.suppress(OSError):
            mtime = int(self.snapshot.stat().st_mtime) + 1
            os.utime(self.snapshot, (mtime, mtime))
        del present


def detach() -> bool:
    """Leave the terminal, the session and direnv's pipes; True in the process that is to go on, which nobody waits for.

    A descriptor of direnv's that stays open would hold its prompt until we end.
    """
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, 256)
    os.chdir("/")
    return True
