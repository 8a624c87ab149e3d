"""What a person or a program reads: lines on stderr, data on stdout, and what happens when nobody takes them."""

from __future__ import annotations

import os
import sys

from awsdirenv.errors import AwsdirenvError, OutputError

TYPE_CHECKING = False  # no lock is needed to print a line
if TYPE_CHECKING:
    from awsdirenv.system.lock import Holder


def say(line: str) -> None:
    """Tell a person, on stderr. Where stderr is closed or full there is nobody to tell, and no reason to fail."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(2)


def is_watched() -> bool:
    """Whether a person sees what we say. Programs keep it for later, and show it only where we failed."""
    return os.isatty(2)


def emit(text: str) -> None:
    """Write data to stdout, in UTF-8 whatever the locale, and to the end.

    Raises OutputError when it cannot, BrokenPipeError when the reader has gone, which is no error: `| head`.
    """
    if sys.stdout is None:
        raise OutputError("cannot write: stdout is closed", "redirect the output to a file or a pipe")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _discard(1)
        raise
    except OSError as error:
        _discard(1)
        raise OutputError(f"cannot write to stdout: {error.strerror}", "redirect the output elsewhere") from None


def warn(problem: str, remedy: str) -> None:
    """Say what is not as it should be, and what to do about it."""
    _say(f"warning: {problem}")
    _say(f"hint: {remedy}")


def report(error: AwsdirenvError, *, on_one_line: bool = False) -> None:
    """Say what failed, and what to do about it."""
    if on_one_line:
        _say(f"error: {error.message}: {error.hint}")
        return
    _say(f"error: {error.message}")
    _say(f"hint: {error.hint}")


def report_waiting(whom: Holder | str) -> None:
    """Say whom or what we wait for."""
    _say(f"waiting for {whom}")


def _say(text: str) -> None:
    # Not imported by the commands that have nothing to say: those are the quick ones.
    from awsdirenv.system.text import printable  # noqa: PLC0415

    say(f"awsdirenv: {printable(text)}")


def _discard(descriptor: int) -> None:
    # Python flushes once more when it ends, and would complain about the same again.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
