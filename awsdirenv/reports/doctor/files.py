"""Checks of `doctor` on the files of the user and of the project: who can read them, and which variables they set.

A file that sets AWS's variables works against the credentials of a directory. An access key is never printed: a finding
has its place and its last four characters.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from awsdirenv.aws import sso_token
from awsdirenv.cache import drafts
from awsdirenv.config.aws_files import AwsFiles, file_paths
from awsdirenv.config.environment import BLOCK
from awsdirenv.config.envrc import has_carriage_returns
from awsdirenv.records import Record
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, DoctorContext, Finding
from awsdirenv.shell import hooks
from awsdirenv.shell.extension import own_folders
from awsdirenv.shell.hooks import Line
from awsdirenv.system.files import home, read_bytes
from awsdirenv.system.subprocesses import StillRunningError, TooMuchOutputError, run
from awsdirenv.system.text import command_line, erase_universal_command, unix_lines_command

_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_SECRETS = ("aws_secret_access_key", "aws_session_token", "aws_security_token")
_EXPORT = re.compile(
    r"(?:^|[;&|{]|\bthen\b|\bdo\b)\s*(?:builtin\s+)?(?:export|(?:declare|typeset)\s+-\w*x\w*)\s+(?P<rest>.*)"
)
_NAMED = re.compile(r"(?<![\w$\"'{-])(AWS_[A-Z0-9_]+)=")
# An assignment alone on its line. In front of a command it would count for that command only.
_PLAIN = re.compile(r"""^\s*(AWS_[A-Z0-9_]+)(?:=("[^"]*"|'[^']*'|[^\s;]*)\s*(?:$|[;\#])|\s+(?:DEFAULT|OVERRIDE)=)""")
_FISH = re.compile(r"(?:^|;|\band\b)\s*set\s+(?P<options>(?:-\S+\s+)*)(?P<name>AWS_[A-Z0-9_]+)\s+\S")
_FUNCTION = re.compile(r"^\s*(?:function\s+\S+|[\w.:-]+\s*\(\s*\))")

_SHAPE = "A[KS]IA[A-Z2-7]{16}"
_KEY_ID = re.compile(rf"(?<![A-Za-z0-9]){_SHAPE}(?![A-Za-z0-9])".encode())
# git's regular expressions have no lookaround. So this one matches one more character at each end, and _KEY_ID checks
# the match.
_AROUND = f"(^|[^A-Za-z0-9]){_SHAPE}[A-Za-z0-9]?"
_EXAMPLE = b"EXAMPLE"  # the end of the keys in AWS's documentation
_MOST_FILES = 20000
_MOST_FINDINGS = 20
_DRAFT_AGE = 60.0  # seconds
_TIME = 3.0  # seconds for each command of git, and for a search without git
_NOT_OF_PROJECT = {"node_modules", "__pycache__", "venv"}  # folders that a search without git leaves out
# With one of these variables git would look into another repository.
_GIT_VARIABLES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"}
_GREP_LINE = re.compile(rb"([^\0]+)\0(\d+)\0([^\n]*)\n")


class _TooLargeError(Exception):
    """There are more files than we can search while the user waits."""


class _AccessKey(Record):
    path: Path
    line: int
    access_key_id: bytes


def permissions(context: DoctorContext) -> Iterator[Finding]:
    """Whether only you can read AWS's config and credentials files."""
    config, credentials = file_paths(context.outer)
    for path in dict.fromkeys((credentials, config)):
        try:
            info = os.stat(path)
        except OSError:
            continue
        if not stat.S_ISREG(info.st_mode) or not info.st_mode & 0o066:
            continue
        has_secrets = path == credentials or _has_secrets(context.files)
        message = f"{path} can be read or written by others ({info.st_mode & 0o777:04o})"
        yield Finding(ERROR if has_secrets else WARNING, message, command_line("chmod 600", path), path)


def aws_variables(context: DoctorContext) -> Iterator[Finding]:
    """Whether a start-up file of a shell sets AWS's variables."""
    for line in _outside_functions(hooks.everything(context.environ)):
        for name in _set_in(line.text):
            if name in _REGIONS:
                message = f"{name} is set in a start-up file, and wins over the region of each profile"
                yield Finding(INFO, message, "remove the line to use each profile's own region", line.place)
            elif name in BLOCK:
                message = f"{name} is set in a start-up file: a new shell has it together with the keys of a directory"
                yield Finding(WARNING, message, "remove the line: .envrc names the profile", line.place)


def fish_universals(context: DoctorContext) -> Iterator[Finding]:
    """Whether fish has AWS's variables as universal ones, which no directory can take out."""
    for name, _, line in hooks.fish_universals(context.environ):
        if name in BLOCK:
            message = f"{name} is a universal variable of fish: it is visible if a directory unsets {name}"
            yield Finding(ERROR, message, erase_universal_command(name), line.place)


def left_drafts(context: DoctorContext) -> Iterator[Finding]:
    """Whether killed commands of ours have left drafts, which may have secrets in them."""
    folders = [*own_folders(context.environ), sso_token.folder(context.environ), context.directory, context.project]
    for draft in drafts.left(context.paths, folders):
        with contextlib.suppress(OSError):
            # One that is being written is from now; its last time, when it is whole, may be in the future.
            if abs(time.time() - os.lstat(draft).st_mtime) > _DRAFT_AGE:
                message = "a killed command of awsdirenv has left a draft, which may contain credentials"
                yield Finding(WARNING, message, command_line("rm", str(draft)), str(draft))


def line_ends(context: DoctorContext) -> Iterator[Finding]:
    """Whether the lines of the `.envrc` end as on Windows: bash takes the carriage return for a part of them."""
    if context.envrc and has_carriage_returns(read_bytes(context.envrc) or b""):
        message = "the lines of this .envrc end as on Windows, with CR LF, so bash misreads them"
        yield Finding(ERROR, message, unix_lines_command(str(context.envrc), str(context.project)), str(context.envrc))


def _has_secrets(files: AwsFiles | None) -> bool:
    """Return whether a profile of the config file has a secret. False if the file cannot be read."""
    profiles = files.config_profiles.values() if files else ()
    return any(key in values for values in profiles for key in _SECRETS)


def _set_in(text: str) -> Iterator[str]:
    """Yield the names of the variables that a line of a start-up file exports. A value is never returned."""
    exported = _EXPORT.search(text)
    if exported:
        yield from _NAMED.findall(" " + exported["rest"])
    elif plain := _PLAIN.match(text):
        yield plain[1]
    elif fish := _FISH.search(text):
        letters = "".join(word for word in fish["options"].split() if not word.startswith("--"))
        if not {"e", "q", "l", "f"} & set(letters) and not re.search(
            r"--(?:erase|query|local|function)", fish["options"]
        ):
            yield fish["name"]


def _outside_functions(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines outside functions. A function sets a variable only when it is called."""
    inside: tuple[Path, str] | None = None
    for line in lines:
        indent = line.text[: len(line.text) - len(line.text.lstrip())]
        if inside and inside[0] == line.path:
            if line.text.startswith((f"{inside[1]}}}", f"{inside[1]}end")):
                inside = None
            continue
        inside = None
        if _FUNCTION.match(line.text):
            is_closed = line.text.rstrip().endswith(("}", "; end"))
            inside = None if is_closed else (line.path, indent)
            continue
        yield line


def keys_in_files(context: DoctorContext) -> Iterator[Finding]:
    """Whether access keys stand in .envrc, .env or other files of the project."""
    keys: dict[_AccessKey, bool] = {}  # the value says whether git tracks the file
    were_searched = [_collect(search, context, keys) for search in (_tracked, _own, _others)]
    findings = [_key_finding(key, is_tracked=is_tracked) for key, is_tracked in keys.items()]
    yield from findings[:_MOST_FINDINGS]
    if len(findings) > _MOST_FINDINGS:
        message = f"{len(findings) - _MOST_FINDINGS} more access keys are in this project's files"
        yield Finding(
            WARNING, message, "follow the hints for the first ones, then: awsdirenv doctor", str(context.project)
        )
    if not all(were_searched):
        message = "the project is too large: we searched only some of its files for access keys"
        yield Finding(INFO, message, f"search it yourself: grep -rnE '{_SHAPE}' .", str(context.project))


def _collect(
    search: Callable[[DoctorContext], Iterator[_AccessKey]], context: DoctorContext, keys: dict[_AccessKey, bool]
) -> bool:
    """Add the results of a search to `keys`. Return False if there were too many files to search them all."""
    try:
        for key in search(context):
            keys.setdefault(key, search is _tracked)
    except _TooLargeError:
        return False
    return True


def _key_finding(key: _AccessKey, *, is_tracked: bool) -> Finding:
    is_long_term = key.access_key_id.startswith(b"AKIA")
    kind = "long-term" if is_long_term else "temporary"
    where = "in a file that git tracks" if is_tracked else "in a file of this project"
    message = f"a {kind} access key (…{key.access_key_id[-4:].decode()}) is {where}"
    place = f"{key.path}:{key.line}"
    if not is_long_term:
        return Finding(WARNING if is_tracked else INFO, message, "remove it from the file", place)
    if is_tracked:
        hint = "deactivate the key in IAM, because others may have it, and remove it from the file"
        return Finding(ERROR, message, hint, place)
    return Finding(WARNING, message, "move the key to ~/.aws/credentials, and remove it from the file", place)


def _tracked(context: DoctorContext) -> Iterator[_AccessKey]:
    """Search the files that git tracks: everybody with a copy of the repository has them."""
    yield from _grep(context)


def _own(context: DoctorContext) -> Iterator[_AccessKey]:
    """Search `.envrc` and the `.env` files of the project. Most projects tell git to ignore them."""
    envrc = [context.envrc] if context.envrc else []
    for path in (*envrc, *sorted(context.project.glob(".env")), *sorted(context.project.glob(".env.*"))):
        yield from _read(path)


def _others(context: DoctorContext) -> Iterator[_AccessKey]:
    """Search the files that git neither tracks nor ignores. In a project without git, search every visible file."""
    root = context.project
    if root in (home(context.environ), Path("/")):
        return
    aws_files = {os.path.realpath(path) for path in file_paths(context.outer)}  # where keys belong
    keys = _grep(context, "--untracked") if _is_of_git(context) else _walk(root)
    yield from (key for key in keys if os.path.realpath(key.path) not in aws_files)


def _is_of_git(context: DoctorContext) -> bool:
    return _git(context, "rev-parse", "--is-inside-work-tree") == b"true\n"


def _grep(context: DoctorContext, *options: str) -> Iterator[_AccessKey]:
    output = _git(context, "grep", "--null", "-nIoHE", "--no-color", *options, "-e", _AROUND) or b""
    for name, line, text in _GREP_LINE.findall(output):
        for key in _keys_in(text):
            yield _AccessKey(context.project / os.fsdecode(name), int(line), key)


def _git(context: DoctorContext, *words: str) -> bytes | None:
    # The settings of a repository may name programs that git runs. Here it would run the one of core.fsmonitor.
    command = ["git", "-C", str(context.project), "--no-pager", "-c", "core.fsmonitor=false", *words]
    environ = {name: value for name, value in context.outer.items() if name not in _GIT_VARIABLES}
    try:
        done = run(command, _TIME, catch_errors=True, environ={**environ, "GIT_OPTIONAL_LOCKS": "0"})
    except OSError:
        return None
    except (StillRunningError, TooMuchOutputError):
        raise _TooLargeError from None
    return done.output if done.status == 0 else None


def _walk(root: Path) -> Iterator[_AccessKey]:
    end, count = time.monotonic() + _TIME, 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_OF_PROJECT)
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES or time.monotonic() > end:
                raise _TooLargeError
            yield from _read(Path(folder) / name)


def _read(path: Path) -> Iterator[_AccessKey]:
    for number, text in enumerate(_content(path).split(b"\n"), start=1):
        for key in _keys_in(text):
            yield _AccessKey(path, number, key)


def _keys_in(text: bytes) -> list[bytes]:
    return [key for key in _KEY_ID.findall(text) if not key.endswith(_EXAMPLE)]


def _content(path: Path) -> bytes:
    """Return the content of a text file. Empty for other files, and for files that cannot be read."""
    data = read_bytes(path) or b""
    return b"" if b"\0" in data[:8192] else data
