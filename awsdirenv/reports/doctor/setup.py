"""Checks of `doctor` on our own parts: what `setup` needs and installs, and our folder with locks and snapshots."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from awsdirenv import __version__
from awsdirenv.cache.running import held_locks
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, DoctorContext, Finding
from awsdirenv.session_credentials import time_left
from awsdirenv.shell import extension as installation
from awsdirenv.shell import hooks
from awsdirenv.shell.hooks import Line
from awsdirenv.system.files import direnv_lib, home, read_text
from awsdirenv.system.subprocesses import output_of
from awsdirenv.system.text import command_line

_TIMEOUT = 4.0  # seconds
_LEAST_DIRENV, _LEAST_BASH = (2, 32, 1), (4, 4)
# direnv 2.37.0 reports its version as 2.36.0 (direnv issues 1458 and 1463).
_SILENT_DIRENV = {(2, 36, 0), (2, 37, 0)}
_OWN = re.compile(r"^[ \t]*(?:function[ \t]+use_aws_profile\b|use_aws_profile[ \t]*\([ \t]*\))")
# direnv's hook, and the shell that it is for, if the line names one.
_HOOK = re.compile(
    r"\bdirenv[\"']?[ \t]+hook\b(?:[ \t]+[\"']?(bash|zsh|fish|tcsh|elvish|murex|pwsh)\b)?"
    r"|\b_direnv_hook[ \t]*\(\)|\bfunction[ \t]+__direnv_export_eval\b"
)
_PLUGIN = re.compile(r"^[ \t]*(?:antigen|zinit|zplug|antidote|fisher|plugins=).*\bdirenv\b")
# An assignment that replaces one of these variables removes direnv's hook from it.
_TAKEN_OVER = {
    "bash": re.compile(r"^(?:export[ \t]+|declare[ \t]+\S+[ \t]+)?PROMPT_COMMAND=(?!.*\bPROMPT_COMMAND\b)"),
    "zsh": re.compile(r"^precmd_functions=(?!.*\bprecmd_functions\b)"),
}

_FOR_NEW_USERS = Path("/etc/skel")
_MOUNTS = Path("/proc/mounts")
_NETWORK_KINDS = re.compile(
    r"(?:nfs\d?|cifs|smb\w*|9p|afs|ncpfs|ceph|glusterfs|lustre|fuse\.(?:sshfs|rclone|s3fs|gluster\w*|smb\w*))$"
)
_LOCAL_LOCKS = re.compile(r"(?:^|,)(?:nolock|local_lock=(?:all|flock))(?:,|$)")
_SHARED_LOCKS = {"nfs", "nfs4", "ceph", "glusterfs", "lustre"}  # all machines see the locks of each other
_LONG = timedelta(minutes=5)  # too long to hold a lock: a question for a code ends long before
_ELSEWHERE = "set XDG_CACHE_HOME to a folder on a local file system"


def direnv(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv is installed and runs."""
    remedy = "apt-get install direnv, brew install direnv, or see its documentation"
    if _direnv(context) is None:
        yield Finding(ERROR, "direnv is not installed", remedy)
    elif _version(context) is None:
        yield Finding(ERROR, "direnv does not run", "run it yourself: direnv version", _direnv(context))


def direnv_version(context: DoctorContext) -> Iterator[Finding]:
    """Whether this version of direnv has a fault that is known."""
    version = _version(context)
    if version is None:
        return
    text = ".".join(map(str, version))
    if version < _LEAST_DIRENV:
        least = ".".join(map(str, _LEAST_DIRENV))
        yield Finding(WARNING, f"direnv {text} is older than {least}, the oldest that we test", "update direnv")
    if version in _SILENT_DIRENV:
        message = f"direnv {text} does not say that an .envrc is not allowed"
        yield Finding(WARNING, message, "update direnv to 2.37.1 or newer; until then: direnv status")


def direnv_settings(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv.toml can be read, and nothing in it is in our way."""
    if _version(context) is None:
        return
    toml = str(direnv_lib(context.outer).parent / "direnv.toml")
    status = _status(context)
    if status is None:
        yield Finding(ERROR, "direnv status fails", "correct what this says: direnv status", toml)
        return
    timeout = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", status.get("warn_timeout", ""))
    seconds = float(timeout[1]) / (1000 if timeout[2] == "ms" else 1) if timeout else 0
    if 0 < seconds < 5:
        message = f"direnv's warn_timeout of {timeout and timeout[0]} prints into the question for an MFA code"
        yield Finding(INFO, message, "set warn_timeout in direnv.toml to 5s, which is its default, or more", toml)


def bash(context: DoctorContext) -> Iterator[Finding]:
    """Whether the bash that direnv runs is there, and is 4.4 or later."""
    path = (_status(context) or {}).get("bash_path")
    if not path:
        return
    words = [path, "--norc", "--noprofile", "-c", 'echo "${BASH_VERSINFO[0]} ${BASH_VERSINFO[1]}"']
    environ = {name: value for name, value in context.outer.items() if name != "BASH_ENV"}
    version = re.match(r"(\d+) (\d+)", output_of(words, _TIMEOUT, environ) or "")
    hint = "install a bash of 4.4 or later, and set bash_path to it in direnv.toml, under [global]"
    if not version:
        yield Finding(ERROR, "the bash that direnv uses does not run", hint, path)
    elif (int(version[1]), int(version[2])) < _LEAST_BASH:
        yield Finding(ERROR, f"direnv runs bash {version[1]}.{version[2]}, which is too old", hint, path)


def stat_program(context: DoctorContext) -> Iterator[Finding]:
    """Whether the extension has a program that tells the state of files; otherwise each load starts Python."""
    path = installation.extension_path(context.environ)
    present = read_text(path)
    if present is None or installation.has_stat(present):
        return
    program = installation.stat_program()
    message = "the extension knows no program that prints the state of files exactly, so each load starts Python"
    hint = "awsdirenv setup" if program else "install GNU's stat (coreutils, or gnu-coreutils), then: awsdirenv setup"
    yield Finding(INFO, message, hint, str(path))


def awk(context: DoctorContext) -> Iterator[Finding]:
    """Whether there is an awk, by which completion finds the names of profiles without Python."""
    if output_of(["awk", "BEGIN { print 1 }"], _TIMEOUT, context.outer) is None:
        yield Finding(INFO, "there is no awk that runs, so completion offers no profiles", "install mawk, or gawk")


def direnv_hook(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv's hook is in the start-up files of your shells: of each in its own."""
    # If direnv has loaded the directory of this shell, there is a hook somewhere.
    is_loaded = "DIRENV_DIR" in context.environ
    login_shell = _shell(context)
    if login_shell not in hooks.SHELLS and not is_loaded:
        message = f"SHELL is {login_shell or 'not set'}, so direnv's hook was not looked for"
        rows = "; ".join(f"{hooks.rc_file(name, context.environ)}: {line}" for name, line in installation.HOOKS.items())
        yield Finding(INFO, message, f"one of {rows}")
    for shell in _shells_in_use(context):
        lines = [*hooks.of_user(shell, context.environ), *hooks.of_system(shell, context.environ)]
        if any(_hooks(line, shell) for line in lines) or (is_loaded and shell == login_shell):
            continue
        rc, line = hooks.rc_file(shell, context.environ), installation.HOOKS[shell]
        if shell == login_shell:
            yield Finding(ERROR, f"direnv's hook is not in {rc}", f"add to it: {line}", str(rc))
        else:
            message = f"direnv's hook is not in {rc}, so {shell} loads no directory"
            yield Finding(INFO, message, f"if you use {shell}, add to it: {line}", str(rc))


def hook_order(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv's hook stands before ours, and nothing behind it takes it out again."""
    for shell in _shells_in_use(context):
        if shell in _TAKEN_OVER:  # in fish the order makes no difference
            yield from _order(shell, hooks.interactive(shell, context.environ))


def _order(shell: str, lines: list[Line]) -> Iterator[Finding]:
    of_direnv = [number for number, line in enumerate(lines) if _hooks(line, shell)]
    if not of_direnv:
        return
    ours = f"awsdirenv/hook.{shell}"
    for line in (line for line in lines[: of_direnv[0]] if ours in line.text):
        message = f"awsdirenv's hook is above direnv's, at {lines[of_direnv[0]].place}: new credentials come late"
        yield Finding(WARNING, message, "move the line below direnv's", line.place)
    for line in (line for line in lines[of_direnv[-1] + 1 :] if _TAKEN_OVER[shell].search(line.text)):
        name = "PROMPT_COMMAND" if shell == "bash" else "precmd_functions"
        message = f"{name} is set again below direnv's hook, which removes the hook"
        yield Finding(ERROR, message, "move direnv's line to the end of the file", line.place)


def extension(context: DoctorContext) -> Iterator[Finding]:
    """Whether the installed extension, and the installed hooks, are those of this awsdirenv."""
    target = installation.extension_path(context.environ)
    present = read_text(target)
    if present is None:
        yield Finding(ERROR, "the extension is not installed", "awsdirenv setup", str(target))
        return
    if installation.FIRST_WORDS not in present:
        message = "the file at the extension's path is not awsdirenv's"
        yield Finding(ERROR, message, "move it away, then: awsdirenv setup", str(target))
        return
    if installation.is_whole(present):
        message = "the installed extension is that of an older release, in one file that every evaluation reads whole"
        yield Finding(WARNING, message, "awsdirenv setup", str(target))
    elif (part := installation.unreadable_part(present)) is not None:
        message = f"a part of the installed extension cannot be read: {part.name}"
        yield Finding(ERROR, message, "install awsdirenv again, then: awsdirenv setup", str(part))
    elif present != installation.extension_text():
        message = f"the installed extension is not from this awsdirenv {__version__}"
        yield Finding(WARNING, message, "awsdirenv setup", str(target))
    for shell in hooks.SHELLS:
        path = hooks.installed(shell, context.environ)
        if read_text(path) not in (None, hooks.script(shell, context.environ)):
            message = f"the installed hook for {shell} is not from this awsdirenv"
            yield Finding(WARNING, message, "awsdirenv setup", str(path))


def own_function(context: DoctorContext) -> Iterator[Finding]:
    """Whether a `use_aws_profile` of your own wins over ours."""
    folder = direnv_lib(context.outer)
    ours = installation.extension_path(context.outer).name
    # direnv reads lib/*.sh in the order of the locale, then one direnvrc, then the .envrc. The last function wins.
    paths = [path for path in sorted(folder.glob("*.sh")) if path.name.casefold() > ours]
    own = folder.parent / "direnvrc"
    paths += [own if own.is_file() else home(context.outer) / ".direnvrc"]
    paths += [context.envrc] if context.envrc else []
    for line in hooks.follow(paths, context.outer):
        if _OWN.search(line.text) and line.path.name != ours:
            yield Finding(
                ERROR, "another use_aws_profile wins over awsdirenv's", "rename or remove the function", line.place
            )


def envrc_allowed(context: DoctorContext) -> Iterator[Finding]:
    """Whether the .envrc here is allowed."""
    status = _status(context) or {}
    path, allowed = status.get("Found RC path"), status.get("Found RC allowed")
    # direnv prints `true` for yes, and since 2.33 it prints 0.
    if path and allowed not in (None, "true", "0"):
        command = command_line("direnv allow", str(Path(path).parent))
        yield Finding(WARNING, "this .envrc is not allowed, so direnv does not load it", command, path)


def _hooks(line: Line, shell: str) -> bool:
    """Return whether a line gives a shell direnv's hook. A hook that is made for another shell does not work in it."""
    found = _HOOK.finditer(line.text)
    return any(match[1] in (None, shell) for match in found) or bool(_PLUGIN.search(line.text))


def _shell(context: DoctorContext) -> str:
    return Path(context.environ.get("SHELL", "")).name


def _shells_in_use(context: DoctorContext) -> list[str]:
    """Return the shells that the person uses: SHELL's first, then those that have a start-up file of the person's."""
    environ, first = context.environ, _shell(context)
    others = [shell for shell in hooks.SHELLS if shell != first and _is_own(hooks.rc_file(shell, environ))]
    return [*([first] if first in hooks.SHELLS else []), *others]


def _is_own(rc: Path) -> bool:
    """Return whether a start-up file is there and is not the one that every new user gets."""
    text = read_text(rc)
    return text is not None and text != read_text(_FOR_NEW_USERS / rc.name)


def _direnv(context: DoctorContext) -> str | None:
    return shutil.which("direnv", path=context.outer.get("PATH"))


def _version(context: DoctorContext) -> tuple[int, ...] | None:
    version = re.match(r"v?(\d+)\.(\d+)\.(\d+)", _of_direnv(context, "version") or "")
    return tuple(map(int, version.groups())) if version else None


def _status(context: DoctorContext) -> dict[str, str] | None:
    """Return the lines of `direnv status` that we need, or None if it fails."""
    text = _of_direnv(context, "status")
    if text is None:
        return None
    names = ("Found RC path", "Found RC allowed", "bash_path", "warn_timeout")
    return {name: line[len(name) + 1 :] for line in text.splitlines() for name in names if line.startswith(f"{name} ")}


def _of_direnv(context: DoctorContext, command: str) -> str | None:
    if command not in context.told:
        context.told[command] = output_of(["direnv", command], _TIMEOUT, context.outer) if _direnv(context) else None
    return context.told[command]


def cache_folder(context: DoctorContext) -> Iterator[Finding]:
    """Whether our folder is yours, can be written to, and can be locked."""
    root = context.paths.root
    # If our folder does not exist yet, check the folder in which it will be created.
    folder = next((path for path in (root, *root.parents) if path.exists()), Path("/"))
    info = folder.stat()
    if folder == root and info.st_uid != os.geteuid():
        yield Finding(ERROR, f"{root} belongs to another user", _ELSEWHERE, str(root))
        return
    if not stat.S_ISDIR(info.st_mode) or not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(ERROR, f"{folder} cannot be written to", f"make {folder} a writable folder", str(folder))
        return
    problem = _lock_problem(_to_lock(context, folder))
    kind, options = mount_of(os.path.realpath(folder), _mounts())
    if problem:
        yield Finding(ERROR, f"files in {folder} cannot be locked ({kind}): {problem}", _ELSEWHERE, str(folder))
    elif _NETWORK_KINDS.match(kind) and (kind not in _SHARED_LOCKS or _LOCAL_LOCKS.search(options)):
        message = f"{root} is on a network file system ({kind}), where other machines may not see our locks"
        yield Finding(WARNING, message, _ELSEWHERE, str(folder))
    elif _NETWORK_KINDS.match(kind):
        message = f"{root} is on a network file system ({kind}): locks work, but take longer"
        yield Finding(INFO, message, _ELSEWHERE, str(folder))


def locks(context: DoctorContext) -> Iterator[Finding]:
    """Whether a lock is held for too long, and what a killed process has left behind."""
    for lock in held_locks(context.paths):
        if lock.since and context.now - lock.since > _LONG:
            who = str(lock.holder or f"pid {lock.pid}")
            age = time_left(context.now, lock.since)
            hint = f"answer it, or end that process: kill {lock.pid}"
            place = str(context.paths.locks / f"{lock.name}.lock")
            yield Finding(WARNING, f"a lock has been held for {age} by {who}", hint, place)
    for path in (*_regular_files(context.paths.claims, "*"), *_regular_files(context.paths.timers, "*")):
        if path.suffix != ".used" and _is_left_over(path):
            message = "the mark of a killed process: it does no harm, and the next load ignores it"
            yield Finding(INFO, message, command_line("rm", str(path)), str(path))


def snapshots(context: DoctorContext) -> Iterator[Finding]:
    """Whether credentials are stored of profiles that are no longer in AWS's files."""
    if context.files is None:
        return
    for stored in context.snapshots:
        # Other files (AWS_CONFIG_FILE) may have the profile.
        if stored.config_path != context.files.config_path or stored.profile in context.files.profiles:
            continue
        ends = stored.expiration
        is_over = ends is not None and ends <= context.now
        message = f"credentials of {stored.profile} are stored, but this profile no longer exists"
        hint = command_line("awsdirenv clear", stored.profile)
        yield Finding(INFO if is_over else WARNING, message, hint, str(stored.path))


def mount_of(path: str, mounts: str) -> tuple[str, str]:
    """Return the type and the options of a path's file system, "" if unknown. `mounts` is the text of /proc/mounts."""
    mount, length = ("", ""), -1
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 4:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), parts[1])
        # If two file systems are mounted at the same point, the later one counts.
        if len(point) >= length and (path + "/").startswith(point.rstrip("/") + "/"):
            mount, length = (parts[2], parts[3]), len(point)
    return mount


def _mounts() -> str:
    return read_text(_MOUNTS, errors="surrogateescape") or ""  # only Linux has this file


def _to_lock(context: DoctorContext, folder: Path) -> Path:
    """Return a lock file if there is one, else the folder. Some network file systems cannot lock a folder."""
    return next(iter(_regular_files(context.paths.locks, "*.lock")), folder)


def _lock_problem(path: Path) -> str | None:
    """Try a shared lock, which writes nothing. Return why it fails, or None if locks work (one may be held)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)  # this releases the lock
    except BlockingIOError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _is_left_over(path: Path) -> bool:
    """Return whether the process of a mark has ended. A mark younger than a minute is not judged."""
    try:
        pid = int(read_text(path) or "")
        if time.time() - path.stat().st_mtime < timedelta(minutes=1).total_seconds():
            return False
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return False


def _regular_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file() and not path.is_symlink())
