"""Check of `doctor` for access keys in a project's files. A key is never printed, only where it is and how it ends."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from awsdirenv.config.aws_files import file_paths
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, Finding, Situation
from awsdirenv.system.files import read_bytes
from awsdirenv.system.paths import home
from awsdirenv.system.subprocesses import StillRunningError, TooMuchOutputError, run

_SHAPE = "A[KS]IA[A-Z2-7]{16}"
_KEY_ID = re.compile(rf"(?<![A-Za-z0-9]){_SHAPE}(?![A-Za-z0-9])".encode())
# git knows no lookaround: what stands at either side comes along, for the pattern above to judge.
_AROUND = f"(^|[^A-Za-z0-9]){_SHAPE}[A-Za-z0-9]?"
_EXAMPLE = b"EXAMPLE"  # what AWS's documents have in the place of one
_MOST_FILES = 20000
_MOST_FINDINGS = 20
_TIME = 3.0  # seconds
_NOBODYS = {"node_modules", "__pycache__", "venv"}  # where no git tells what is the project's own
_OF_GIT = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"}  # of another repository
_MATCH = re.compile(rb"([^\0]+)\0(\d+)\0([^\n]*)\n")


class _TooLargeError(Exception):
    """There is more than can be looked at while somebody waits."""


@dataclass(frozen=True)
class _Key:
    path: Path
    line: int
    access_key_id: bytes


def keys_in_files(situation: Situation) -> Iterator[Finding]:
    """Whether access keys stand in .envrc, .env or other files of the project."""
    found: dict[_Key, bool] = {}  # and whether git has the file
    looks = [_is_looked_through(look, situation, found) for look in (_tracked, _own, _others)]
    findings = [_finding(key, is_tracked=is_tracked) for key, is_tracked in found.items()]
    yield from findings[:_MOST_FINDINGS]
    if len(findings) > _MOST_FINDINGS:
        message = f"{len(findings) - _MOST_FINDINGS} more access keys stand in this project's files"
        yield Finding(WARNING, message, "mend the first ones, then look again", str(situation.project))
    if not all(looks):
        message = "the project is too large: not all of its files were looked at for access keys"
        yield Finding(INFO, message, f"look by hand: git grep -nE '{_SHAPE}'", str(situation.project))


def _is_looked_through(
    look: Callable[[Situation], Iterator[_Key]], situation: Situation, found: dict[_Key, bool]
) -> bool:
    try:
        for key in look(situation):
            found.setdefault(key, look is _tracked)
    except _TooLargeError:
        return False
    return True


def _finding(key: _Key, *, is_tracked: bool) -> Finding:
    is_long_term = key.access_key_id.startswith(b"AKIA")
    kind = "long-term" if is_long_term else "temporary"
    where = "in a file that git has" if is_tracked else "in a file of this project"
    message = f"a {kind} access key (…{key.access_key_id[-4:].decode()}) stands {where}"
    place = f"{key.path}:{key.line}"
    if not is_long_term:
        return Finding(WARNING if is_tracked else INFO, message, "take it out of the file", place)
    if is_tracked:
        hint = "deactivate the key in IAM, as others may have it, and take it out of the file"
        return Finding(ERROR, message, hint, place)
    return Finding(WARNING, message, "move the key to ~/.aws/credentials, and take it out of the file", place)


def _tracked(situation: Situation) -> Iterator[_Key]:
    """Look into what everybody has who has the repository."""
    yield from _grep(situation)


def _own(situation: Situation) -> Iterator[_Key]:
    """Look into the files that belong to the directory itself, which git is mostly told to ignore."""
    envrc = [situation.envrc] if situation.envrc else []
    for path in (*envrc, *sorted(situation.project.glob(".env")), *sorted(situation.project.glob(".env.*"))):
        yield from _read(path)


def _others(situation: Situation) -> Iterator[_Key]:
    """Look into what git does not have and is not told to ignore; without git into every file that is not hidden."""
    root = situation.project
    if root in (home(situation.environ), Path("/")):
        return
    where_they_belong = {os.path.realpath(path) for path in file_paths(situation.outer)}
    keys = _grep(situation, "--untracked") if _is_of_git(situation) else _walk(root)
    yield from (key for key in keys if os.path.realpath(key.path) not in where_they_belong)


def _is_of_git(situation: Situation) -> bool:
    return _git(situation, "rev-parse", "--is-inside-work-tree") == b"true\n"


def _grep(situation: Situation, *options: str) -> Iterator[_Key]:
    output = _git(situation, "grep", "--null", "-nIoHE", "--no-color", *options, "-e", _AROUND) or b""
    for name, line, text in _MATCH.findall(output):
        for key in _in(text):
            yield _Key(situation.project / os.fsdecode(name), int(line), key)


def _git(situation: Situation, *words: str) -> bytes | None:
    # A repository's own settings may name a program for git to run; this one it would run here.
    command = ["git", "-C", str(situation.project), "--no-pager", "-c", "core.fsmonitor=false", *words]
    environ = {name: value for name, value in situation.outer.items() if name not in _OF_GIT}
    try:
        done = run(command, _TIME, catch_errors=True, environ={**environ, "GIT_OPTIONAL_LOCKS": "0"})
    except OSError:
        return None
    except (StillRunningError, TooMuchOutputError):
        raise _TooLargeError from None
    return done.output if done.status == 0 else None


def _walk(root: Path) -> Iterator[_Key]:
    end, count = time.monotonic() + _TIME, 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOBODYS)
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES or time.monotonic() > end:
                raise _TooLargeError
            yield from _read(Path(folder) / name)


def _read(path: Path) -> Iterator[_Key]:
    for number, text in enumerate(_content(path).split(b"\n"), start=1):
        for key in _in(text):
            yield _Key(path, number, key)


def _in(text: bytes) -> list[bytes]:
    return [key for key in _KEY_ID.findall(text) if not key.endswith(_EXAMPLE)]


def _content(path: Path) -> bytes:
    """Give what is in a regular file of moderate size, unless it is no text."""
    data = read_bytes(path) or b""
    return b"" if b"\0" in data[:8192] else data
