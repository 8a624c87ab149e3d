"""Programs of the person's own (credential_process, mfa_process): run, and ended in time with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finished:
    """What a program left behind. `complaint` is what it wrote to stderr, where that was caught."""

    status: int
    output: bytes
    complaint: bytes


class StillRunningError(Exception):
    """The program took longer than it may, and was killed."""


def run(
    command: str | Sequence[str],
    timeout: float,
    *,
    catch_errors: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program (a text is a command line for sh) for at most `timeout` seconds.

    Raises OSError when it cannot start, StillRunningError when it does not end.
    """
    # Its own session: a timeout and a Ctrl-C end whatever it has started, and it cannot ask at a terminal that is ours
    # for the moment. direnv's fd 3 is not inherited (PEP 446).
    process = subprocess.Popen(
        command,
        shell=isinstance(command, str),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if catch_errors else None,
        env=environ,
        start_new_session=True,
    )
    try:
        output, complaint = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise StillRunningError from None
    finally:
        if process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Finished(process.returncode, output, complaint or b"")
