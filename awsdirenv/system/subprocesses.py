"""Programs of the person's own (credential_process, mfa_process): run, and ended in time with all that they started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from awsdirenv.records import Record

_LONGEST = 1 << 20  # bytes; nobody's credentials are so long, and a program that runs amok fills the memory
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


class Finished(Record):
    """What a program left behind. `complaint` is the end of what it wrote to stderr, where that was caught."""

    status: int
    output: bytes
    complaint: bytes


class StillRunningError(Exception):
    """The program took longer than it may, and was killed."""


class TooMuchOutputError(Exception):
    """The program printed more than a megabyte, and was killed."""


def run(
    command: str | Sequence[str],
    timeout: float,
    *,
    catch_errors: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program (a text is a command line for sh) for at most `timeout` seconds.

    Raises OSError when it cannot start, StillRunningError when it does not end, TooMuchOutputError.
    """
    # Its own session: a timeout and a Ctrl-C end whatever it has started, and it cannot ask at a terminal that is ours
    # for the moment. direnv's fd 3 is not inherited (PEP 446).
    process = None
    try:
        with _uninterrupted():
            process = subprocess.Popen(
                command,
                shell=isinstance(command, str),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if catch_errors else None,
                env=environ,
                start_new_session=True,
            )
        output, complaint = _read(process, time.monotonic() + timeout)
    finally:
        if process is not None:
            _end(process)
    return Finished(process.returncode, output, complaint)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off a Ctrl-C, or the end of us, while a program starts: until we know it, nobody can end it."""
    put_off: list[int] = []
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # the only one that is interrupted
        handlers = {number: handler for number in _INTERRUPTS if callable(handler := signal.getsignal(number))}
    try:
        for number in handlers:
            signal.signal(number, lambda caught, _frame: put_off.append(caught))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in put_off:
            signal.raise_signal(number)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)  # no longer: what sudo has started is not ours to end
    for pipe in filter(None, (process.stdout, process.stderr)):
        pipe.close()


def _read(process: subprocess.Popen[bytes], end: float) -> tuple[bytes, bytes]:
    """Wait until the program has closed its pipes and ended. `end` is a time of the monotonic clock."""
    found = {1: bytearray(), 2: bytearray()}
    with selectors.DefaultSelector() as open_pipes:
        for number, pipe in ((1, process.stdout), (2, process.stderr)):
            if pipe:
                open_pipes.register(pipe, selectors.EVENT_READ, number)
        while open_pipes.get_map():
            ready = open_pipes.select(max(end - time.monotonic(), 0))
            if not ready or time.monotonic() > end:
                raise StillRunningError
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                found[key.data] += data
                if not data:
                    open_pipes.unregister(key.fileobj)
            if len(found[1]) > _LONGEST:
                raise TooMuchOutputError
            del found[2][:-_LONGEST]
    try:
        process.wait(max(end - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        raise StillRunningError from None
    return bytes(found[1]), bytes(found[2])
