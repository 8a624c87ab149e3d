"""Runs the user's own programs (credential_process, mfa_process), and ends them in time with all their children."""

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

_LONGEST = 1 << 20  # bytes; credentials are never so long, and a broken program must not fill the memory
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


class Finished(Record):
    """The result of a program. `complaint` is the end of its stderr, if that was caught."""

    status: int
    output: bytes
    complaint: bytes


class StillRunningError(Exception):
    """The program took too long and was killed."""


class TooMuchOutputError(Exception):
    """The program printed more than a megabyte and was killed."""


def run(
    command: str | Sequence[str],
    timeout: float,
    *,
    catch_errors: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program for at most `timeout` seconds. A `command` that is a text is run by sh.

    Raises OSError if it cannot start, StillRunningError if it does not end in time, and TooMuchOutputError.
    """
    # It gets its own session. So a timeout or a Ctrl-C also ends its children, and it cannot ask at the terminal that
    # we are using. direnv's fd 3 is not inherited (PEP 446).
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


def output_of(words: Sequence[str], timeout: float, environ: Mapping[str, str]) -> str | None:
    """Return what a program prints within `timeout` seconds. None if it is missing, fails, or does not end in time."""
    try:
        done = run(words, timeout, catch_errors=True, environ=environ)
    except (OSError, StillRunningError, TooMuchOutputError):
        return None
    return done.output.decode("utf-8", "replace") if done.status == 0 else None


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay signals to us while a program starts. Before we have its process id, we could not end it."""
    put_off: list[int] = []
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # Python handles signals in this thread only
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
            process.wait(1)  # not longer: we may not kill a program that sudo has started
    for pipe in filter(None, (process.stdout, process.stderr)):
        pipe.close()


def _read(process: subprocess.Popen[bytes], end: float) -> tuple[bytes, bytes]:
    """Wait until the program has closed its pipes and ended. `end` is a time of the monotonic clock."""
    streams = {1: bytearray(), 2: bytearray()}
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
                streams[key.data] += data
                if not data:
                    open_pipes.unregister(key.fileobj)
            if len(streams[1]) > _LONGEST:
                raise TooMuchOutputError
            del streams[2][:-_LONGEST]
    try:
        process.wait(max(end - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        raise StillRunningError from None
    return bytes(streams[1]), bytes(streams[2])
