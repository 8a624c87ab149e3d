"""Checks of `doctor` about files of yours that speak against a directory's credentials, or tell them to others."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from awsdirenv.config.aws_files import AwsFiles, file_paths
from awsdirenv.config.environment import BLOCK
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, Finding, Situation
from awsdirenv.shell import rc_files
from awsdirenv.shell.rc_files import Line
from awsdirenv.system.commands import command_line, erase_universal_command

_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_SECRETS = ("aws_secret_access_key", "aws_session_token", "aws_security_token")
_EXPORT = re.compile(
    r"(?:^|[;&|{]|\bthen\b|\bdo\b)\s*(?:builtin\s+)?(?:export|(?:declare|typeset)\s+-\w*x\w*)\s+(?P<rest>.*)"
)
_NAMED = re.compile(r"(?<![\w$\"'{-])(AWS_[A-Z0-9_]+)=")
# Alone on its line: in front of a command it holds for that command only.
_PLAIN = re.compile(r"""^\s*(AWS_[A-Z0-9_]+)(?:=("[^"]*"|'[^']*'|[^\s;]*)\s*(?:$|[;\#])|\s+(?:DEFAULT|OVERRIDE)=)""")
_FISH = re.compile(r"(?:^|;|\band\b)\s*set\s+(?P<options>(?:-\S+\s+)*)(?P<name>AWS_[A-Z0-9_]+)\s+\S")
_FUNCTION = re.compile(r"^\s*(?:function\s+\S+|[\w.:-]+\s*\(\s*\))")


def permissions(situation: Situation) -> Iterator[Finding]:
    """Whether only you can read AWS's config and credentials files."""
    config, credentials = file_paths(situation.outer)
    for path in dict.fromkeys((credentials, config)):
        try:
            info = os.stat(path)
        except OSError:
            continue
        if not stat.S_ISREG(info.st_mode) or not info.st_mode & 0o066:
            continue
        has_secrets = path == credentials or _has_secrets(situation.files)
        message = f"{path} can be read or written by others ({info.st_mode & 0o777:04o})"
        yield Finding(ERROR if has_secrets else WARNING, message, command_line("chmod 600", path), path)


def aws_variables(situation: Situation) -> Iterator[Finding]:
    """Whether a start-up file of a shell sets AWS's variables."""
    for line in _outside_functions(rc_files.everything(situation.environ)):
        for name in _set_in(line.text):
            if name in _REGIONS:
                message = f"{name} is set in a start-up file, and wins over the region of each profile"
                yield Finding(INFO, message, "remove the line if each profile is to have its own region", line.place)
            elif name in BLOCK:
                message = f"{name} is set in a start-up file: a new shell in a directory has it beside that one's keys"
                yield Finding(WARNING, message, "remove the line; .envrc says which profile", line.place)


def fish_universals(situation: Situation) -> Iterator[Finding]:
    """Whether fish has AWS's variables as universal ones, which no directory can take out."""
    for name, _, line in rc_files.fish_universals(situation.environ):
        if name in BLOCK:
            message = f"fish has {name} as a universal variable, which shows wherever a directory unsets it"
            yield Finding(ERROR, message, erase_universal_command(name), line.place)


def _has_secrets(files: AwsFiles | None) -> bool:
    """Tell whether the config file has secrets, as far as it can be read at all."""
    profiles = files.config_profiles.values() if files else ()
    return any(key in values for values in profiles for key in _SECRETS)


def _set_in(text: str) -> Iterator[str]:
    """Give the names that a line of a start-up file sets for good; never a value."""
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
    """Leave out the bodies of functions: what they set is set when somebody calls them."""
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
