"""Locks between the processes of all shells: an flock, taken through filelock, with a note that says who holds it.

The kernel releases the lock when its holder ends, also when it is killed. Lock files are never deleted: otherwise one
process could lock the old inode and another one the new, and both would believe that they hold the lock.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from awsdirenv.errors import CacheError, LockTimeoutError
from awsdirenv.records import Record
from awsdirenv.system.files import read_text
from awsdirenv.system.text import printable

_POLL = 0.03  # seconds between two tries to take the lock
_NOTE_SIZE = 512  # characters
# A note begins with this while its writer waits for the user.
ASKING = "asking for"
SIGNING_IN = f"{ASKING} the sign-in"
_WAITING = "waiting for"  # and so does that of a process that waits for such a one

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


class Holder(Record):
    """The process that holds a lock, according to its note."""

    pid: int
    terminal: str
    doing: str

    @property
    def place(self) -> str:
        """The process and its terminal, such as `pid 4711 on /dev/pts/3`."""
        return f"pid {self.pid} on {self.terminal}" if self.terminal else f"pid {self.pid}"

    @property
    def is_asking(self) -> bool:
        """Whether it waits for the user, or for another process that does."""
        return self.doing.startswith((ASKING, _WAITING))

    @property
    def is_signing_in(self) -> bool:
        """Whether it waits for the user to sign in with a browser."""
        return self.doing.startswith(SIGNING_IN) or (self.doing.startswith(_WAITING) and SIGNING_IN in self.doing)

    def __str__(self) -> str:
        """Return the process and what it does: `pid 4711 on /dev/pts/3, asking for the MFA code`."""
        return f"{self.place}, {self.doing}"


class Locks:
    """The locks of one cache folder."""

    def __init__(
        self,
        folder: Path,
        timeout: float,
        on_wait: Callable[[Holder | None, float], None],
        terminal: str = "",
        place: Callable[[], str] | None = None,
    ) -> None:
        """Create the locks. `timeout` is the longest wait in seconds, `terminal` the name of our terminal for notes.

        `place` says more of the terminal. It may start a process, so it is called only while the user is asked.
        While we wait, `on_wait` is called again and again with the lock's holder and the seconds waited.
        """
        self._folder = folder
        self._timeout = timeout
        self._on_wait = on_wait
        self._terminal = terminal
        self._place = place
        self._doing = ""
        self._held: list[Path] = []

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lock. Raises LockTimeoutError after the longest wait, CacheError if locking does not work."""
        with self.hold_unless(name, lambda: None):
            yield

    def note(self, doing: str) -> None:
        """Write what we are doing into all locks that we hold, for the processes that wait. Errors are ignored."""
        self._doing = doing
        if self._place and doing.startswith(ASKING):
            self._terminal, self._place = self._place(), None
        self._write_notes(self._held, doing)

    def _write_notes(self, paths: Iterable[Path], doing: str) -> None:
        line = f"{os.getpid()}\t{printable(self._terminal)}\t{printable(doing)}"
        text = f"{line[:_NOTE_SIZE]}\n".encode()
        for path in paths:
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    os.pwrite(descriptor, text, 0)
                    os.ftruncate(descriptor, len(text))
                finally:
                    os.close(descriptor)

    @contextlib.contextmanager
    def hold_unless(self, name: str, look: Callable[[], T | None]) -> Iterator[T | None]:
        """Hold the lock and yield None. Or yield the first result of `look`, which is called while we wait.

        With such a result the lock is no longer needed, and not held. Raises as `hold` does.
        """
        # This import takes 30 ms. A command that finds a fresh snapshot does not need it.
        from filelock import FileLock, Timeout  # noqa: PLC0415

        path = self._folder / f"{name}.lock"
        # A process with a soft lock would leave a file behind when it is killed, and that would block all others.
        lock = FileLock(path, mode=0o600, fallback_to_soft=False)
        started = time.monotonic()
        result = told = None
        while True:
            try:
                lock.acquire(blocking=False)
                break
            except Timeout:
                pass
            except OSError as error:
                raise _no_lock(path, error) from None
            result = look()
            if result is not None:
                break
            told = self._wait(path, time.monotonic() - started, told)
        if told:
            self._write_notes(self._held, self._doing)
        if result is not None:
            yield result
            return
        self._held.append(path)
        self._write_notes([path], "")
        try:
            yield None
        finally:
            self._held.remove(path)
            lock.release()

    def _wait(self, path: Path, waited: float, told: Holder | None) -> Holder | None:
        """Wait a moment. Return the holder if it is asking. Those who wait for our own locks are told of it once.

        `told` is what the last call has returned.
        """
        holder = read_note(path)
        if waited > self._timeout:
            who = f" ({holder})" if holder else ""
            raise LockTimeoutError(
                f"gave up waiting for another awsdirenv{who} after {int(waited)}s",
                "finish or end that process, then direnv reload",
            )
        self._on_wait(holder, waited)
        asking = holder if holder and holder.is_asking else None
        if asking != told:
            doing = self._doing if asking is None else f"{_WAITING} {asking}"
            # The first process of a row is the one that asks.
            self._write_notes(self._held, asking.doing if asking and asking.doing.startswith(_WAITING) else doing)
        time.sleep(_POLL)
        return asking


def read_note(path: Path) -> Holder | None:
    """Return the holder in the note of a lock file. None if it says nothing, or its process has ended.

    The process may have released the lock since: notes stay until the next holder writes its own.
    """
    holder = read_holder(path)
    return holder if holder and holder.doing else None


def read_holder(path: Path) -> Holder | None:
    """Return the process in the note of a lock file, also if it does not say what it does."""
    try:
        pid, terminal, doing = (read_text(path) or "").rstrip("\n").split("\t")
        holder = Holder(int(pid), printable(terminal), printable(doing))
        os.kill(holder.pid, 0)
    except (OSError, ValueError):
        return None
    return holder


def _no_lock(path: Path, error: OSError) -> CacheError:
    return CacheError(
        f"cannot lock {path}: {error.strerror or type(error).__name__}",
        "make the folder writable, or set XDG_CACHE_HOME to a folder on a local file system",
    )
