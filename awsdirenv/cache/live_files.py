"""The files that a live directory hands to programs, and the way back from them to the person's own.

The first lines of the config file say from what it was made; direnvrc.d compares them before it uses
the file. They also have what AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE were: every command of ours in such a
directory goes back to those.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import MutableMapping
from pathlib import Path

from awsdirenv.cache import grammar
from awsdirenv.config.environment import CLOSED_PROFILE, METADATA_SWITCH
from awsdirenv.errors import CacheError, ConfigError
from awsdirenv.records import Record
from awsdirenv.system.direnv import without_ours
from awsdirenv.system.files import fresh_mtime, write_private_data
from awsdirenv.system.text import unset_command

_FOLDER = "/awsdirenv/live/"
_EMPTY = ".empty"  # no profile's file begins with a dot
_ORIGINALS = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_LINES = {line.name: line for line in grammar.LIVE}
_LARGEST_HEADER = 64 * 1024  # bytes
_WORDS = (
    "# Made by `use aws_profile --live` from your own files, and made again when they change: change those instead."
)


class Made(Record):
    """What a live config file is made from. The last five are for the line on entering, and may be empty.

    `originals` are the values of AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, None where they are not set.
    """

    profile: str  # encoded
    stamps: tuple[str, str]
    originals: tuple[str | None, str | None]
    mfa_serial: str
    options: str  # what is asked of the session: `SessionOptions.text`
    python: str
    program: str  # what SDKs start
    region: str
    account_id: str
    role: str
    stage: str
    policies: str

    def values(self) -> tuple[str, ...]:
        """Return the values in the order of the names."""
        originals = ("" if value is None else f"={value}" for value in self.originals)
        account_id, role = (
            value if line.takes(value) else ""
            for line, value in ((_LINES["account_id"], self.account_id), (_LINES["role"], self.role))
        )
        shown = (self.region, account_id, role, self.stage, self.policies)
        return (
            "4",
            self.profile,
            *self.stamps,
            *originals,
            self.mfa_serial,
            self.options,
            self.python,
            self.program,
            *shown,
        )


def empty_file(folder: Path) -> Path:
    """Return the path of the credentials file that has nothing in it."""
    return folder / _EMPTY


def is_current(path: Path, made: Made) -> bool:
    """Whether the config file is there, made from just this, and untouched since."""
    header = _header(path)
    if header is None or tuple(header.values())[:-1] != made.values():
        return False
    info = path.lstat()
    return header["mtime"] == str(int(info.st_mtime)) and stat.S_IMODE(info.st_mode) == 0o600


def write(path: Path, made: Made, text: bytes) -> None:
    """Replace the config file. The caller holds its lock. Raises CacheError, also for what the readers would refuse."""
    mtime = _time_of_its_own(path)
    values = (*made.values(), str(mtime))
    if any("\n" in value or "\r" in value for value in values):
        raise CacheError(
            f"a value for {path.name} has a line break", "remove the line break from the path or name that has it"
        )
    unfit = grammar.unfit(grammar.LIVE, values)
    if unfit:
        raise CacheError(f"{unfit.name} for {path.name} is too long", f"shorten it to {unfit.longest} bytes")
    header = "".join(f"# {line.name}={value}\n" for line, value in zip(grammar.LIVE, values, strict=True))
    write_private_data(path, os.fsencode(f"{header}{_WORDS}\n\n") + text, mtime)


def write_empty(folder: Path) -> Path | None:
    """See to it that the credentials file is there and empty. The caller holds its lock. Raises CacheError.

    Returns the file with what somebody (`aws configure`) has written into it, or None.
    """
    path, aside = empty_file(folder), None
    try:
        info = path.lstat()
        if stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid():
            if stat.S_IMODE(info.st_mode) == 0o600 and info.st_size == 0:
                return None
            if info.st_size:
                aside = path.with_name(".written")
                path.chmod(0o600)
                path.replace(aside)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise CacheError(f"cannot use {path}: {error.strerror}", f"make {path.parent} writable") from None
    write_private_data(path, b"", _time_of_its_own(path))
    return aside


def _time_of_its_own(path: Path) -> int:
    """Choose a modification time in the past: what a program writes into a file right after us has another one."""
    return fresh_mtime(path, int(time.time()) - 60)


def leave(environ: MutableMapping[str, str]) -> None:
    """Go back to the person's own profile and files in an environment that a closed or live directory has made.

    The files are not taken from DIRENV_DIFF, which programs may have lost. Raises ConfigError where the file that tells
    is gone.
    """
    path = environ.get("AWS_CONFIG_FILE", "")
    if environ.get("AWS_PROFILE") == CLOSED_PROFILE:
        _put_back(environ, "AWS_PROFILE")
    elif "AWSDIRENV_DECLARED" not in environ and _FOLDER not in path:
        return
    _put_back(environ, METADATA_SWITCH)
    if _FOLDER not in path:
        return
    found = read(Path(path))
    if found is None:
        raise ConfigError(
            f"AWS_CONFIG_FILE names a live file that no longer exists: {path}",
            f"direnv reload; without direnv: {unset_command(*_ORIGINALS)}",
        )
    for name, original in zip(_ORIGINALS, found.originals, strict=True):
        if _FOLDER not in environ.get(name, ""):
            continue  # the person's own word, said after ours
        del environ[name]
        if original is not None:
            environ[name] = original
    if "AWS_PROFILE" in environ and environ["AWS_PROFILE"] == environ.get("AWSDIRENV_PROFILE"):
        del environ["AWS_PROFILE"]


def _put_back(environ: MutableMapping[str, str], name: str) -> None:
    """Give a variable the value that it has outside of the directory. Where nobody knows that, the profile goes."""
    outer = without_ours(environ, (name,)).get(name, CLOSED_PROFILE)
    if outer == CLOSED_PROFILE:
        environ.pop(name, None)
    else:
        environ[name] = outer


def read(path: Path) -> Made | None:
    """Return what a live config file was made from, by its own words. None if it is not ours, or was changed."""
    header = _header(path)
    if header is None:
        return None
    config, credentials, *values = list(header.values())[2:-1]
    originals = [value[1:] if value else None for value in values[:2]]
    return Made(
        profile=header["profile"],
        stamps=(config, credentials),
        originals=(originals[0], originals[1]),
        mfa_serial=header["AWS_MFA_SERIAL"],
        options=header["options"],
        python=header["python"],
        program=header["program"],
        region=header["region"],
        account_id=header["account_id"],
        role=header["role"],
        stage=header["stage"],
        policies=header["policies"],
    )


def _header(path: Path) -> dict[str, str] | None:
    """Return the first lines of a live config file. None if it is not ours, or was changed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            return None
        *lines, _ = os.fsdecode(os.read(descriptor, _LARGEST_HEADER)).split("\n")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    pairs = [line.partition("=") for line in lines[: len(grammar.LIVE)]]
    names, values = [name.removeprefix("# ") for name, _, _ in pairs], [value for _, _, value in pairs]
    is_whole = all(name.startswith("# ") and mark for name, mark, _ in pairs)
    if not is_whole or not grammar.fits(grammar.LIVE, names, values):
        return None
    return dict(zip(names, values, strict=True))
