"""Finds out whether the wall clock was set, by comparing it with the time since the machine was started.

Our files have times of the wall clock, as those of AWS's tools. Next to them they have an anchor: the time at which the
machine was started, computed with the wall clock of that moment. If a reader computes another time for the same start,
the clock was set in between, and the difference says by how much. Time in suspend is counted, too.

A machine that was paused from outside (WSL, a virtual machine) looks as if its clock was set forward, because it does
not count the pause. So if the clock seems to be set back, it was. If it seems to be set forward, the credentials may be
right or wrong, and only AWS knows.

`patience` belongs here too: it tells the user what we wait for, after a second.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from awsdirenv.session_credentials import CLOCK_TOLERANCE

# The number has one form, because both we and the extension compare with it.
ANCHOR = r"[0-9a-f.]{10,29}:(?:0|[1-9][0-9]{0,11})"
_PROC = Path("/proc")
_SILENTLY = 1.0  # seconds
# Where `process_fields` has the parent, the session, the terminal as a device number, and the start in clock ticks.
PARENT, SESSION, TERMINAL, STARTED = 1, 3, 4, 19


def anchor() -> str | None:
    """Return the anchor: a name of this start of the machine, and its time: `<start>:<seconds since the epoch>`.

    None where the kernel tells neither as Linux nor as macOS does. direnvrc.d computes the same on Linux.
    """
    for way in (_anchor_by_proc, _anchor_by_sysctl):
        with suppress(OSError, ValueError, ImportError):  # ImportError: a Python that was built without ctypes
            text = way()
            return text if is_anchor(text) else None
    return None


def _anchor_by_proc() -> str:
    boot = _first_line("sys/kernel/random/boot_id").partition("-")[0]
    since_start = int(uptime())
    return f"{boot}.{start_of_process(1)}:{int(time.time()) - since_start}"


def _anchor_by_sysctl() -> str:
    """Ask as macOS is asked, which moves the time of its start when the clock is set. Emulated, never run there."""
    import ctypes  # noqa: PLC0415 - Linux does not need it

    ask = getattr(ctypes.CDLL(None), "sysctlbyname", None)

    def value(name: bytes) -> bytes:
        found, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        if ask is None or ask(name, found, ctypes.byref(size), None, ctypes.c_size_t(0)):
            raise OSError(name)
        return found.raw[: size.value]

    boot = value(b"kern.bootsessionuuid").decode().partition("-")[0].lower()
    return f"{boot}.0:{int.from_bytes(value(b'kern.boottime')[:8], sys.byteorder)}"  # of a timeval the seconds


def is_anchor(text: str) -> bool:
    """Return whether a text has the form of an anchor."""
    return re.fullmatch(ANCHOR, text) is not None


def set_since(then: str) -> timedelta:
    """Return by how much the wall clock was set forward since an anchor was taken. Negative: it was set back.

    Zero if that is unknown, as for an anchor of another start of the machine. Raises ValueError for a text that is no
    anchor.
    """
    if not is_anchor(then):
        raise ValueError(then)
    now = anchor()
    if now is None or then.partition(":")[0] != now.partition(":")[0]:
        return timedelta(0)
    difference = timedelta(seconds=int(now.partition(":")[2]) - int(then.partition(":")[2]))
    return difference if abs(difference) > CLOCK_TOLERANCE else timedelta(0)


def start_of_process(pid: int) -> str:
    """Return when a process was started, as the kernel says it. "0" if that is hidden from us, or if it has ended.

    Containers of one machine may share a home, but differ in this for process 1.
    """
    try:
        return process_fields(pid)[STARTED]
    except (OSError, IndexError):
        return "0"


def process_fields(pid: int | str) -> list[str]:
    """Return what the kernel says of a process, from its state on; see proc(5). Raises OSError."""
    # A name may have anything in it, also line breaks and brackets.
    return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()


def uptime() -> float:
    """Return the seconds since the machine was started. Raises OSError and ValueError without Linux's /proc."""
    return float(_first_line("uptime").partition(" ")[0])


def _first_line(name: str) -> str:
    with (_PROC / name).open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n")


@contextmanager
def patience(tell: Callable[[str], None], what: str) -> Iterator[None]:
    """Call `tell` with `what` if the block takes longer than a second: once, and from another thread."""
    import threading  # noqa: PLC0415 - commands that only read our files never wait

    timer = threading.Timer(_SILENTLY, tell, (what,))
    timer.daemon = True  # the process can end before the timer
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
