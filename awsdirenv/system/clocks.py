"""The clock on the wall, which can be set, against the time since the machine was started, which nobody sets.

Our files carry times of the wall, as AWS's tools do. Beside them stands an anchor: when, by the wall clock of that
moment, the machine was started. Whoever reads them and finds that the machine was started at another time knows that
the clock was set since, and by how much. That counts suspended time, too.

A machine that was paused from outside (WSL, a virtual machine) looks as if its clock had been set forward: time has
gone by that it knows nothing of. So a clock that was set back is believed to have been, at once; one that was set
forward may as well be right, and only AWS can tell.

`patience` is about time, too: who waits longer than a second is told what for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from awsdirenv.session_credentials import CLOCK_TOLERANCE

# The number has one form, because both we and the extension compare with it.
ANCHOR = r"[0-9a-f.]{10,29}:(?:0|[1-9][0-9]{0,11})"
_PROC = Path("/proc")
_SILENTLY = 1.0  # seconds


def anchor() -> str | None:
    """Name this start of the machine, and give its time by the wall clock: `<start>:<epoch seconds>`.

    None where it cannot be told: no Linux, or no /proc. direnvrc.d does the same.
    """
    try:
        boot = _first_line("sys/kernel/random/boot_id").partition("-")[0]
        since_start = int(_first_line("uptime").partition(".")[0])
    except (OSError, ValueError):
        return None
    made = f"{boot}.{_start_of_first_process()}:{int(time.time()) - since_start}"
    return made if is_anchor(made) else None


def is_anchor(text: str) -> bool:
    """Tell whether this has the shape of an anchor."""
    return re.fullmatch(ANCHOR, text) is not None


def set_since(then: str) -> timedelta:
    """Give by how much the wall clock was set forward since an anchor was taken; negative: back.

    Zero, too, where it cannot be told, as for an anchor of another start of the machine. Raises ValueError for what is
    none.
    """
    if not is_anchor(then):
        raise ValueError(then)
    now = anchor()
    if now is None or then.partition(":")[0] != now.partition(":")[0]:
        return timedelta(0)
    by = timedelta(seconds=int(now.partition(":")[2]) - int(then.partition(":")[2]))
    return by if abs(by) > CLOCK_TOLERANCE else timedelta(0)


def _start_of_first_process() -> str:
    """Tell containers of one machine apart: they may share a home, and have a time since the start of their own."""
    try:
        fields = _first_line("1/stat").rpartition(") ")[2].split()
    except OSError:
        return "0"  # hidden from us; then it is from everybody here
    return fields[19] if len(fields) > 19 else "0"


def _first_line(name: str) -> str:
    with (_PROC / name).open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n")


@contextmanager
def patience(tell: Callable[[str], None], what: str) -> Iterator[None]:
    """Tell, once and from another thread, what is waited for, if that takes longer than a second."""
    import threading  # noqa: PLC0415 - what only reads our files waits for nothing

    timer = threading.Timer(_SILENTLY, tell, (what,))
    timer.daemon = True  # who leaves before is not held back
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
