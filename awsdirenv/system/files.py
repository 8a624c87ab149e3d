"""Files: the person's, read whole and replaced in one step; and our private ones, which nobody else has written.

A private file has `NAME=value` lines (which python-dotenv reads too) between a first line with a version and a last
line that says the file is whole.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.errors import CacheError
from awsdirenv.system.text import command_line

LARGEST = 1 << 20  # bytes; whoever expects more says so
_LARGEST_PRIVATE = 256 * 1024  # bytes; ours are about 2 KiB
_HEADER = ("AWSDIRENV_VERSION", "1")
_FOOTER = ("AWSDIRENV_END", "1")


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


def ensure_private_folder(folder: Path) -> None:
    """Make the folder, or check that the one that is there belongs to us alone.

    Raises CacheError when it cannot be made, is no folder, or belongs to somebody else.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.stat()
        if info.st_uid != os.geteuid():
            raise CacheError(
                f"{folder} belongs to another user",
                f"{command_line('rm -r', str(folder))} as its owner, or set XDG_CACHE_HOME",
            )
        if stat.S_IMODE(info.st_mode) != 0o700:  # the umask may have taken too much, a setgid parent added something
            folder.chmod(0o700)
    except OSError as error:
        raise _cache_error(folder, error) from None


def write_private(path: Path, values: Mapping[str, str], mtime: int | None = None) -> None:
    """Replace `path` in one step. The caller holds the lock that belongs to it.

    `mtime` (epoch seconds) is what direnv's watches compare. Raises CacheError, with the old file untouched.
    """
    if any("\n" in value or "\r" in value for value in values.values()):
        raise CacheError(f"a value for {path.name} has a line break", "remove it from the path or name it came from")
    write_private_data(path, private_text(values).encode("utf-8", "surrogateescape"), mtime)


def write_private_data(path: Path, data: bytes, mtime: int | None = None) -> None:
    """Replace `path` as `write_private` does, with whatever is to be in it."""
    # One fixed name per target: what a killed writer leaves behind is replaced by the next one, and never piles up.
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # a default ACL or an odd umask may have had its say
            file.write(data)
        if mtime is not None:
            os.utime(draft, (mtime, mtime))
        os.replace(draft, path)  # also replaces a symlink, a FIFO or a stranger's file by name, without following it
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise _cache_error(path, error) from None


def private_text(values: Mapping[str, str]) -> str:
    """Give the lines of such a file."""
    return "".join(f"{name}={value}\n" for name, value in (_HEADER, *values.items(), _FOOTER))


def fresh_mtime(path: Path, wanted: int) -> int:
    """Choose a modification time that no earlier generation of a file had, in epoch seconds, near `wanted`.

    direnv compares whole seconds, so two rewrites within one second would look alike to every shell that waits. It is
    even: the second behind it is for `outdate`.
    """
    wanted += wanted % 2
    try:
        present = int(os.lstat(path).st_mtime)
    except OSError:
        return wanted
    return present + 2 - present % 2 if present >= wanted else wanted


def outdate(path: Path) -> None:
    """Have every shell that watches a file look again: once in each generation, whoever calls this how often."""
    with contextlib.suppress(OSError):
        mtime = int(os.lstat(path).st_mtime) | 1
        os.utime(path, (mtime, mtime), follow_symlinks=False)


def read_private(path: Path) -> dict[str, str] | None:
    """Give the values, or None for a file that is missing, torn, or that somebody else may have written."""
    try:
        # O_NONBLOCK: a FIFO put in our place would otherwise hold the open until somebody writes.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        info = os.fstat(descriptor)
        is_ours = stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid() and stat.S_IMODE(info.st_mode) == 0o600
        if not is_ours or info.st_size > _LARGEST_PRIVATE:
            return None
        lines = os.read(descriptor, _LARGEST_PRIVATE + 1).decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if lines.pop() or not all("=" in line for line in lines):
        return None
    pairs = [(name, value) for name, _, value in (line.partition("=") for line in lines)]
    if len(pairs) < 2 or (pairs[0], pairs[-1]) != (_HEADER, _FOOTER):
        return None
    values = dict(pairs[1:-1])
    return values if len(values) == len(pairs) - 2 else None  # a name that stands twice was not written by us


def remove(path: Path) -> bool:
    """Unlink; say whether there was something. Raises CacheError when it cannot."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _cache_error(path, error) from None
    return True


def _cache_error(path: Path, error: OSError) -> CacheError:
    return CacheError(
        f"cannot use {path}: {error.strerror or type(error).__name__}",
        f"make {path.parent} writable and give it space, or set XDG_CACHE_HOME to a folder of yours",
    )
