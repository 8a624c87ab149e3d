"""Files of the person's: read whole where they may be missing, huge or no file at all, and replaced in one step."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

LARGEST = 1 << 20  # bytes; whoever expects more says so


def read_bytes(path: str | Path, largest: int = LARGEST) -> bytes | None:
    """Give what is in a regular file; None where there is none, it cannot be read, or it is larger than that (bytes).

    A folder, a device or a FIFO, which would wait for somebody to write, is no file here. Links are followed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    try:
        with open(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode) or info.st_size > largest:
                return None
            return file.read(largest)
    except OSError:
        return None


def read_text(path: str | Path, *, errors: str = "replace", largest: int = LARGEST) -> str | None:
    """Give what is in a text file as `read_bytes` does: UTF-8 as far as it is, with one kind of line ends."""
    data = read_bytes(path, largest)
    return None if data is None else data.decode("utf-8", errors).replace("\r\n", "\n").replace("\r", "\n")


def replace_file(target: Path, data: bytes, mode: int) -> None:
    """Replace a file of the person's in one step. Raises OSError, with the old one untouched."""
    import tempfile  # noqa: PLC0415 - slow, and most commands replace nothing

    # mkstemp makes 0600: what is to be private is never readable by others, not even before it is complete.
    descriptor, draft = tempfile.mkstemp(prefix=".awsdirenv-", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
        os.replace(draft, target)
    except BaseException:  # Ctrl-C, too: a draft may hold secrets, and nobody would look for it
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
