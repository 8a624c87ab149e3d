"""Files and their places: the user's folders and files, and our private files, which nobody else can have written.

A private file has `NAME=value` lines, which python-dotenv can read too. Its first line is a version. Its last line
shows that the file is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from awsdirenv.errors import CacheError, ProfileNameError
from awsdirenv.system.text import command_line, os_bytes, shell_word

LARGEST = 1 << 20  # bytes; the default limit
_LARGEST_PRIVATE = 256 * 1024  # bytes; ours are about 2 KiB
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST_NAME = 200  # bytes, encoded; file names have 255 at most, and some of ours get a prefix or a suffix
_HEADER = ("AWSDIRENV_VERSION", "1")
_FOOTER = ("AWSDIRENV_END", "1")


def home(environ: Mapping[str, str]) -> Path:
    """Return the home folder."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def data_home(environ: Mapping[str, str]) -> Path:
    """Return the folder for the data of programs, by the XDG base directory specification."""
    base = environ.get("XDG_DATA_HOME", "")
    return Path(base) if base.startswith("/") else home(environ) / ".local" / "share"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return our data folder, which `setup` writes."""
    return data_home(environ) / "awsdirenv"


def direnv_lib(environ: Mapping[str, str]) -> Path:
    """Return the folder whose *.sh files direnv sources. direnv's own stdlib finds it in the same way."""
    config = environ.get("DIRENV_CONFIG")
    if config:
        return Path(config) / "lib"
    return Path(environ.get("XDG_CONFIG_HOME") or home(environ) / ".config") / "direnv" / "lib"


def extension_source() -> Path:
    """Return the path of our extension: inside the package in a wheel, next to it in a checkout."""
    package = Path(__file__).parent.parent
    packaged = package / "direnvrc.d" / "aws_profile.sh"
    return packaged if packaged.exists() else package.parent / "direnvrc.d" / "aws_profile.sh"


def encode_name(name: str) -> str:
    """Return a profile name as a file name. Each byte becomes %XX, except letters, digits, `_`, `-` and inner `.`.

    Raises ProfileNameError for a name that is empty, has control characters, or is too long.
    """
    if not name:
        raise ProfileNameError("the profile name is empty", "name a profile, as in `use aws_profile adminrole`")
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise ProfileNameError("the profile name has control characters", "use the name as it is in ~/.aws/config")
    encoded = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os_bytes(name))
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) > _LONGEST_NAME:
        raise ProfileNameError(
            f"the profile name is too long ({len(name)} characters)", "use a name of up to 60 characters"
        )
    return encoded


def decode_name(encoded: str) -> str:
    """Return the profile name that `encode_name` has encoded."""
    raw = bytearray()
    parts = encoded.split("%")
    raw += parts[0].encode("ascii")
    for part in parts[1:]:
        raw += bytes([int(part[:2], 16)]) + part[2:].encode("ascii")
    return os.fsdecode(bytes(raw))


def read_bytes(path: str | Path, largest: int = LARGEST) -> bytes | None:
    """Return the content of a regular file. None if it is missing, unreadable, or larger than `largest` bytes.

    Folders, devices and FIFOs count as missing: reading a FIFO would wait for a writer. Links are followed.
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
    """Return the text of a file, with the limits of `read_bytes`: decoded as UTF-8, with line feeds as line ends."""
    data = read_bytes(path, largest)
    return None if data is None else data.decode("utf-8", errors).replace("\r\n", "\n").replace("\r", "\n")


def own_python() -> str:
    """Return the path of the Python that runs us.

    A virtual environment has its Python by several names. They are one installation, so this is always the same one.
    """
    python = Path(sys.executable)
    with contextlib.suppress(OSError):
        if (general := python.with_name("python3")).samefile(python):
            return str(general)
    return str(python)


def extra_command(extra: str) -> str:
    """Return the command that installs what an extra of ours adds, into the environment that we run in.

    `pip` on PATH is another environment's, and Debian's refuses. An environment that uv has made has no pip.
    """
    from importlib.metadata import requires  # noqa: PLC0415 - for an error only
    from importlib.util import find_spec  # noqa: PLC0415

    python = shell_word(own_python())
    words = [
        word.partition(";")[0].strip()
        for word in requires("awsdirenv") or ()
        if f"extra == '{extra}'" in word.replace('"', "'")
    ]
    start = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return " ".join([start, *map(shell_word, words)])


def draft_of(target: Path) -> Path:
    """Return the path of the draft by which `replace_file` replaces a file."""
    return target.with_name(f".{target.name[:60]}.awsdirenv-new")


def private_draft_of(path: Path) -> Path:
    """Return the path of the draft of a private file. No private file has such a name: none begins with a dot."""
    return path.with_name(f".{path.name}.new")


def name_of(path: Path) -> str:
    """Return the name of a private file, also for its draft."""
    is_draft = path.name.startswith(".") and path.name.endswith(".new")
    return path.name[1:-4] if is_draft else path.name


class ChangedError(Exception):
    """A file is not as it was any more."""


def replace_file(target: Path, data: bytes, mode: int, still: Callable[[], bool] = lambda: True) -> None:
    """Replace a file of the user in one step. Raises OSError, and then leaves the old file as it was.

    Raises ChangedError where `still` denies that the file is as it was; no other writer of ours comes in between.
    Afterwards the file outlives a power cut: it may have the only copy of a key.
    """
    with _alone_in(target.parent) as folder:
        if not still():
            raise ChangedError
        _replace_by_draft(draft_of(target), target, data, mode, lasts=True)
        if folder is not None:
            with contextlib.suppress(OSError):
                os.fsync(folder)


def _replace_by_draft(  # noqa: PLR0913 - for two kinds of files
    draft: Path, target: Path, data: bytes, mode: int, *, mtime: int | None = None, lasts: bool = False
) -> None:
    """Write a draft, and rename it to its target. Raises OSError, and then removes the draft.

    The draft of a file always has the same name. So the next writer replaces the draft of a killed one, which may have
    secrets in it, and drafts never pile up. The caller sees to it that nobody else writes the same draft.
    """
    try:
        draft.unlink(missing_ok=True)
        # Nobody else can read a private file, not even before it is complete.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            _leave_to_owner(descriptor, draft.parent)
            os.fchmod(descriptor, mode)  # a default ACL or an unusual umask may have changed it
            file.write(data)
            if lasts:
                file.flush()
                os.fsync(descriptor)
        if mtime is not None:
            os.utime(draft, (mtime, mtime))
        os.replace(draft, target)  # replaces also a symlink, a FIFO or another user's file, and does not follow a link
    except BaseException:  # also for Ctrl-C
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[int | None]:
    """Keep other writers of ours out of a folder: they would use the same draft. The end of a process frees it.

    Yields the open folder, or None if it cannot be read.
    """
    descriptor = None
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # some network file systems have no locks, and some folders cannot be read
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor


def make_folder(folder: Path, mode: int = 0o755) -> None:
    """Make a folder and the missing ones above it, in which nobody else may write, whatever the umask. Raises OSError.

    Those above it get the mode 0755 without what the umask takes away.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode if path == folder else 0o755, exist_ok=True)
            _leave_to_owner(path, path.parent)
    folder.mkdir(mode, exist_ok=True)  # raises if it is no folder


def _leave_to_owner(made: Path | int, folder: Path) -> None:
    """Give what root has made in somebody's folder to that person, who could not change it: `sudo -E` keeps HOME."""
    if os.geteuid() == 0 and (info := folder.stat()).st_uid:
        with contextlib.suppress(OSError):  # some file systems know no owners
            os.chown(made, info.st_uid, info.st_gid)


def ensure_private_folder(folder: Path) -> None:
    """Make the folder. If it is there, check that it is the user's own and make it private.

    Raises CacheError if it cannot be made, is no folder, is a link, or belongs to another user.
    """
    try:
        if folder.is_symlink():  # whoever has made it decides where our secrets go
            raise CacheError(
                f"{folder} is a symbolic link",
                f"{command_line('rm', str(folder))}; for another place, set XDG_CACHE_HOME",
            )
        make_folder(folder, 0o700)
        info = folder.stat()
        if info.st_uid != os.geteuid():
            is_lost = folder.parent.stat().st_uid == os.geteuid()  # else it is at home there, and we are not
            way = (
                f"{command_line('rm -r', str(folder))} as its owner"
                if is_lost
                else "run the command as that user (sudo without -E)"
            )
            raise CacheError(f"{folder} belongs to another user", f"{way}, or set XDG_CACHE_HOME")
        if stat.S_IMODE(info.st_mode) != 0o700:  # a umask may have removed bits, a setgid parent may have added one
            folder.chmod(0o700)
    except OSError as error:
        raise _cache_error(folder, error) from None


def write_private(path: Path, values: Mapping[str, str], mtime: int | None = None) -> None:
    """Replace a private file in one step. The caller holds the lock that belongs to it.

    `mtime` (seconds since the epoch) is what direnv's watches compare. Raises CacheError, and then leaves the old file
    as it was.
    """
    if any("\n" in value or "\r" in value for value in values.values()):
        raise CacheError(
            f"a value for {path.name} has a line break", "remove the line break from the path or name that has it"
        )
    write_private_data(path, private_text(values).encode("utf-8", "surrogateescape"), mtime)


def write_private_data(path: Path, data: bytes, mtime: int | None = None) -> None:
    """Replace a file as `write_private` does, with any content."""
    try:
        _replace_by_draft(private_draft_of(path), path, data, 0o600, mtime=mtime)
    except OSError as error:
        raise _cache_error(path, error) from None


def private_text(values: Mapping[str, str]) -> str:
    """Return the text of a private file."""
    return "".join(f"{name}={value}\n" for name, value in (_HEADER, *values.items(), _FOOTER))


def fresh_mtime(path: Path, wanted: int) -> int:
    """Return a modification time near `wanted` that no earlier version of the file had, in seconds since the epoch.

    direnv compares whole seconds. With the same time for two versions, the shells that watch the file would miss the
    second one. The time is even: the odd second after it is for `outdate`.
    """
    wanted += wanted % 2
    try:
        present = int(os.lstat(path).st_mtime)
    except OSError:
        return wanted
    return present + 2 - present % 2 if present >= wanted else wanted


def outdate(path: Path) -> None:
    """Make every shell that watches a file load it again. A second call for the same version changes nothing."""
    with contextlib.suppress(OSError):
        mtime = int(os.lstat(path).st_mtime) | 1
        os.utime(path, (mtime, mtime), follow_symlinks=False)


def read_private(path: Path) -> dict[str, str] | None:
    """Return the values of a private file. None if it is missing, incomplete, or maybe written by another user."""
    try:
        # O_NONBLOCK: if somebody has put a FIFO there, opening it would wait for a writer.
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
    return values if len(values) == len(pairs) - 2 else None  # we never write a name twice


def remove(path: Path) -> bool:
    """Delete a file. Return whether it was there. Raises CacheError if it cannot be deleted."""
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
        f"make {path.parent} writable and free some space, or set XDG_CACHE_HOME to another folder",
    )
