"""Our output: lines for the user on stderr, data on stdout, and what to do if they cannot be written."""

from __future__ import annotations

import os
import sys

from awsdirenv.errors import AwsdirenvError, OutputError

TYPE_CHECKING = False  # commands that only print do not import system.lock
if TYPE_CHECKING:
    from awsdirenv.system.lock import Holder


def say(line: str) -> None:
    """Write a line for the user on stderr. If stderr is closed or full, that is no error."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(2)


def is_watched() -> bool:
    """Return whether the user sees our lines at once. A program shows them later, and only if we fail."""
    return os.isatty(2)


def emit(text: str) -> None:
    """Write all of `text` to stdout, in UTF-8 for every locale.

    Raises OutputError if that fails. Raises BrokenPipeError if the reader has ended, as in `| head`: that is no error.
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
    """Print a warning and a hint for the user."""
    _say(f"warning: {problem}")
    _say(f"hint: {remedy}")


def report(error: AwsdirenvError, *, on_one_line: bool = False) -> None:
    """Print an error and its hint for the user."""
    if on_one_line:
        _say(f"error: {error.message}: {error.hint}")
        return
    _say(f"error: {error.message}")
    _say(f"hint: {error.hint}")


def report_waiting(whom: Holder | str) -> None:
    """Tell the user what we wait for: another process, or a slow call."""
    _say(f"waiting for {whom}")


def _say(text: str) -> None:
    # The fast commands print no such lines, and should not import this.
    from awsdirenv.system.text import printable  # noqa: PLC0415

    say(f"awsdirenv: {printable(text)}")


def _discard(descriptor: int) -> None:
    # Python flushes again when it ends, and would print the same error again.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
