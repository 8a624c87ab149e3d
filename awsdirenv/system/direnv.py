"""Reads what direnv tells its child processes: the directory, whether it was loaded before, and why it is now."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from awsdirenv.errors import DirectoryError
from awsdirenv.records import Record
from awsdirenv.system.clocks import PARENT, SESSION, STARTED, process_fields, uptime

# A prompt follows `direnv reload` at once. After this time (in ns) it is no longer what the user has just typed.
_JUST_NOW = 30 * 10**9
_ONE_MOMENT = 10**7  # ns; the kernel's times are some milliseconds apart
_ALLOWED = "/direnv/allow/"  # where direnv keeps what the user has allowed


class Evaluation(Record):
    """One evaluation of an `.envrc`. `envrc_mtime` is in whole seconds since the epoch, 0 if there is no such file.

    `directory` is that of the line of ours. `envrc` is the file that direnv evaluates; it may be an inner one, which
    says `source_up`. `is_entering` says that the shell has come from elsewhere. `told_at` is when somebody said
    `direnv reload` or `direnv allow`, in ns since the epoch, 0 if that is not why direnv evaluates. The user may have
    said it in another terminal.
    """

    directory: Path
    envrc_mtime: int
    is_entering: bool
    envrc: Path
    told_at: int = 0

    @classmethod
    def current(cls, environ: Mapping[str, str], pid: int | None = None) -> Evaluation:
        """Return the present evaluation. `pid` is the process that evaluates the `.envrc`. Raises DirectoryError.

        direnv hides from the `.envrc` what the last evaluation has set, but that is in DIRENV_DIFF, with direnv's own
        variables: the directory, and the files that were watched.
        """
        directory = working_directory(environ)
        try:
            mtime = int((directory / ".envrc").stat().st_mtime)
        except OSError:
            mtime = 0
        last = _values(environ.get("DIRENV_DIFF", ""), "n") or {}
        watched = _watched(environ.get("DIRENV_WATCHES", ""))
        first = next(iter(watched), "")
        envrc = Path(first) if first.endswith("/.envrc") else directory / ".envrc"
        told_at = _told_at(envrc, watched, _watched(str(last.get("DIRENV_WATCHES", ""))))
        is_entering = last.get("DIRENV_DIR") != f"-{envrc.parent}" or (pid is not None and _is_new_shell(pid, environ))
        return cls(directory, mtime, is_entering, envrc, told_at)


def _is_new_shell(pid: int, environ: Mapping[str, str]) -> bool:
    """Return whether a new terminal's shell evaluates for the first time. It may have inherited the directory.

    A tmux that was started in a loaded directory gives each new pane the variables of that moment.
    """
    try:
        direnv = process_fields(pid)[PARENT]
        fields = process_fields(shell := _shell_of(process_fields(direnv)[PARENT]))
        age = uptime() - int(fields[STARTED]) / os.sysconf("SC_CLK_TCK")
        at_its_start = Path(f"/proc/{shell}/environ").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return False
    inherited = os.fsencode(f"DIRENV_DIFF={environ.get('DIRENV_DIFF')}") in at_its_start
    return inherited and fields[SESSION] == shell and age * 10**9 < _JUST_NOW


def _shell_of(pid: str) -> str:
    """Return the shell whose hook has started direnv: its parent, or what that is a fork of (bash before 5.1)."""
    fields = process_fields(pid)
    if fields[SESSION] == pid:
        return pid
    commands = [Path(f"/proc/{one}/cmdline").read_bytes() for one in (pid, fields[PARENT])]
    return fields[PARENT] if commands[0] == commands[1] else pid


def _told_at(envrc: Path, watched: Mapping[str, int], before: Mapping[str, int]) -> int:
    """Return when `direnv reload` or `direnv allow` was said since the last evaluation, in ns. 0 if it was not.

    `watched` and `before` are the watched files with their times, now and at the last evaluation. It does not count if
    something else has changed later: that is then why direnv evaluates.
    """
    said = dict[str, int]()
    for name in (str(envrc), *(name for name in watched if _ALLOWED in name)):
        times = _times(name)
        if times and times[0] // 10**9 != before.get(name):
            said[name] = times[0] if name != str(envrc) or _is_set_by_direnv(name, *times) else 0
    told_at = max(said.values(), default=0)
    if abs(time.time_ns() - told_at) > _JUST_NOW:
        return 0
    others = (_times(name) or (_times(os.path.dirname(name)) if mtime else None) for name, mtime in before.items())
    later = (times for name, times in zip(before, others, strict=True) if times and name not in said)
    return 0 if any(changed > told_at for _, changed in later) else told_at


def _is_set_by_direnv(envrc: str, modified: int, changed: int) -> bool:
    """Return whether `direnv reload` may have set the time of an `.envrc`, and nobody has written or replaced it."""
    if not modified % 10**9:
        return True  # the file system keeps whole seconds only, so we cannot tell
    # Who writes or touches a file leaves two equal times, and who replaces it changes its folder at that moment.
    folder = _times(os.path.dirname(envrc))
    return modified != changed and not (folder and abs(folder[0] - changed) < _ONE_MOMENT)


def _times(path: str) -> tuple[int, int] | None:
    """Return when a file was modified, and when it was last changed in any way, in ns. None if it is not there."""
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return None
    return info.st_mtime_ns, info.st_ctime_ns


def _watched(text: str) -> dict[str, int]:
    """Return the files in a DIRENV_WATCHES with their times, in direnv's order. The time of a missing file is 0."""
    decoded = decode(text)
    entries = decoded if isinstance(decoded, list) else []
    # Older and newer versions of direnv spell the names differently.
    files = [{str(name).lower(): value for name, value in file.items()} for file in entries if isinstance(file, dict)]
    return {str(file.get("path")): file.get("modtime") or 0 for file in files}


def sees_change(environ: Mapping[str, str], path: Path) -> bool:
    """Return whether a file has changed that the directory watches, so that direnv evaluates at the next prompt."""
    watched, times = _watched(environ.get("DIRENV_WATCHES", "")), _times(str(path))
    return times is not None and watched.get(str(path), times[0] // 10**9) != times[0] // 10**9


def stays_here(environ: Mapping[str, str]) -> bool:
    """Return whether direnv evaluates the loaded directory at the next prompt. `cd /; COMMAND` leaves it."""
    loaded = loaded_directory(environ)
    try:
        here = working_directory(environ)
    except DirectoryError:
        return False
    nearest = next((folder for folder in (here, *here.parents) if (folder / ".envrc").exists()), None)
    return loaded is not None and nearest == loaded


def opened_profile(environ: Mapping[str, str]) -> str | None:
    """Return the profile that this directory was open for before this evaluation. None: it was closed or not loaded."""
    return (_values(environ.get("DIRENV_DIFF", ""), "n") or {}).get("AWSDIRENV_PROFILE")


def without_ours(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the environment with the variables `names` as they were outside the loaded directory.

    A command that is typed in a directory of ours must start from the same values as the `.envrc`: the variables that
    lead to a container's role, or keys that a profile takes from the environment.
    """
    if "AWSDIRENV_LOADED" not in environ:
        return dict(environ)
    before = _values(environ.get("DIRENV_DIFF", ""), "p")
    if before is None:
        return dict(environ)
    kept = {name: value for name, value in environ.items() if name not in names}
    return {**kept, **{name: value for name, value in before.items() if name in names and isinstance(value, str)}}


def exported(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables that direnv's last evaluation has changed, with their new values. None: it was unset."""
    after, before = (_values(environ.get("DIRENV_DIFF", ""), which) or {} for which in "np")
    return {**dict.fromkeys(before), **after}


def loaded_directory(environ: Mapping[str, str]) -> Path | None:
    """Return the directory that direnv has loaded and that uses us. So the user has allowed its `.envrc`."""
    _, _, directory = environ.get("AWSDIRENV_LOADED", "").partition(" ")
    return Path(directory) if directory.startswith("/") else None


def working_directory(environ: Mapping[str, str]) -> Path:
    """Return the working directory by the shell's name for it ($PWD), if that is correct. Raises DirectoryError."""
    logical = environ.get("PWD", "")
    try:
        if logical.startswith("/") and os.path.samefile(logical, "."):
            return Path(logical)
    except OSError:
        pass
    try:
        return Path.cwd()
    except OSError:
        raise DirectoryError("the working directory no longer exists", "cd to another folder") from None


def decode(text: str) -> object:
    """Return the content of a variable of direnv (zlib-compressed JSON in URL-safe base64). None for anything else."""
    import base64  # noqa: PLC0415
    import json  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        return json.loads(zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
    except (ValueError, zlib.error, RecursionError):
        return None


def _values(diff: str, which: str) -> dict[str, str] | None:
    """Return the values that direnv's last evaluation has set (`n`) or replaced (`p`). None if they are not there."""
    decoded = decode(diff)
    values = decoded.get(which) if isinstance(decoded, dict) else None
    return values if isinstance(values, dict) else None
