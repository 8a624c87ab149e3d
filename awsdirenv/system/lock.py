"""One refresher per thing refreshed, across all shells: an flock, taken through filelock, with a note of who holds it.

The kernel drops the lock with its holder, however it dies. Lock files are never unlinked: a waiter on the old inode
and a newcomer on a new one would both believe they hold it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from awsdirenv.errors import CacheError, LockTimeoutError
from awsdirenv.records import Record
from awsdirenv.system.files import read_text
from awsdirenv.system.text import printable

_POLL = 0.03  # seconds; a killed holder is followed within this
_NOTE_SIZE = 256  # bytes
# How a note begins whose writer waits for a person.
ASKING = "asking for"
SIGNING_IN = f"{ASKING} the sign-in"

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


class Holder(Record):
    """Who holds a lock, as far as its note can be believed."""

    pid: int
    terminal: str
    doing: str

    @property
    def place(self) -> str:
        """Say where it is, as in `pid 4711 on /dev/pts/3`."""
        return f"pid {self.pid} on {self.terminal}" if self.terminal else f"pid {self.pid}"

    @property
    def is_asking(self) -> bool:
        """Whether it waits for a person."""
        return self.doing.startswith(ASKING)

    @property
    def is_signing_in(self) -> bool:
        """Whether it waits for a person in front of a browser."""
        return self.doing.startswith(SIGNING_IN)

    def __str__(self) -> str:
        """Say who it is and what it does, as in `pid 4711 on /dev/pts/3, asking for the MFA code`."""
        return f"{self.place}, {self.doing}"


class Locks:
    """The locks of one cache folder. `on_wait` is told, again and again while waiting, who holds the lock."""

    def __init__(
        self, folder: Path, timeout: float, on_wait: Callable[[Holder | None, float], None], terminal: str = ""
    ) -> None:
        """Take the folder, the longest wait in seconds, whom to tell, and the name of our terminal."""
        self._folder = folder
        self._timeout = timeout
        self._on_wait = on_wait
        self._terminal = terminal
        self._held: list[Path] = []

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lock. Raises LockTimeoutError after the longest wait, CacheError when there can be no lock."""
        with self.hold_unless(name, lambda: None):
            yield

    def note(self, doing: str) -> None:
        """Tell those who wait for any lock we hold what we are doing. Failing to write a note is no failure."""
        text = f"{os.getpid()}\t{self._terminal}\t{printable(doing)}\n".encode()[:_NOTE_SIZE]
        for path in self._held:
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    os.pwrite(descriptor, text, 0)
                    os.ftruncate(descriptor, len(text))
                finally:
                    os.close(descriptor)

    @contextlib.contextmanager
    def hold_unless(self, name: str, look: Callable[[], T | None]) -> Iterator[T | None]:
        """Hold the lock and give None, or give what `look` finds while waiting, which makes the lock needless."""
        # 30 ms of import that those who find a fresh snapshot need not pay.
        from filelock import FileLock, Timeout  # noqa: PLC0415

        path = self._folder / f"{name}.lock"
        # A fallback to a soft lock would leave a file behind when killed, and block everybody after.
        lock = FileLock(path, mode=0o600, fallback_to_soft=False)
        started = time.monotonic()
        found = None
        while True:
            try:
                lock.acquire(blocking=False)
                break
            except Timeout:
                pass
            except OSError as error:
                raise _no_lock(path, error) from None
            found = look()
            if found is not None:
                break
            self._wait(path, time.monotonic() - started)
        if found is not None:
            yield found
            return
        self._held.append(path)
        try:
            yield None
        finally:
            self._held.remove(path)
            lock.release()

    def _wait(self, path: Path, waited: float) -> None:
        holder = read_note(path)
        if waited > self._timeout:
            who = f" ({holder})" if holder else ""
            raise LockTimeoutError(
                f"gave up waiting for another awsdirenv{who} after {int(waited)}s",
                "finish or end that process, then direnv reload",
            )
        self._on_wait(holder, waited)
        time.sleep(_POLL)


def read_note(path: Path) -> Holder | None:
    """Give who says in a lock file that it holds it, if that process lives."""
    try:
        pid, terminal, doing = (read_text(path) or "").strip().split("\t")
        holder = Holder(int(pid), printable(terminal), printable(doing))
        os.kill(holder.pid, 0)  # the note of a killed holder outlives it until the next one writes its own
    except (OSError, ValueError):
        return None
    return holder


def _no_lock(path: Path, error: OSError) -> CacheError:
    return CacheError(
        f"cannot lock {path}: {error.strerror or type(error).__name__}",
        "make the folder writable, or set XDG_CACHE_HOME to a folder on a local file system",
    )
