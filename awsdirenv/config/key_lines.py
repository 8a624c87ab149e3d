"""Changes single lines of AWS's files: a profile's long-term keys, and its credential_process. All else stays as it is.

An edit is checked before it is written: parsed again, the file says the same as before, but for the lines in question.
"""

from __future__ import annotations

import configparser
import locale
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from awsdirenv.config.aws_files import KEY_NAMES, AwsFiles, section_header
from awsdirenv.config.source_lines import Provenance, profile_of_header
from awsdirenv.errors import ConfigError
from awsdirenv.records import Record
from awsdirenv.system.files import ChangedError, make_folder, read_bytes, replace_file
from awsdirenv.system.text import command_line

PROCESS_KEY = "credential_process"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_HEADER = re.compile(rb"\[([^\r\n]*)\]")
_NEW_MODE = 0o600  # of a file that is not there yet


class Edit(Record, hidden=("before", "after")):
    """A change of one file. Its repr, and `shown`, have no secret."""

    path: str
    before: bytes | None  # None: the file is not there
    after: bytes
    shown: tuple[str, ...]  # the lines, each with - or + in front
    adds_secret: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether anything changes."""
        return self.before != self.after


def has_keys(files: AwsFiles, profile: str) -> tuple[bool, bool]:
    """Return whether the credentials file and the config file have a long-term key, or a part of one, of a profile."""
    sections = (files.credentials_sections.get(profile, {}), files.config_profiles.get(profile, {}))
    in_credentials, in_config = (any(name in section for name in KEY_NAMES) for section in sections)
    return in_credentials, in_config


def without_keys(files: AwsFiles, profile: str, *, in_credentials: bool) -> Edit:
    """Return the edit that takes a profile's keys out of the credentials file, or out of the config file."""
    path, values = _section(files, profile, in_credentials=in_credentials)
    lines = _lines(path)
    named = [name for name in KEY_NAMES if name in values]
    numbers = [_line_of(files, profile, name, in_credentials=in_credentials) for name in named]
    kept = [line for number, line in enumerate(lines, start=1) if number not in numbers]
    header = _header(lines, profile, in_credentials=in_credentials)
    return _checked(path, lines, kept, header, dict.fromkeys(named), [f"-{name} = …" for name in named])


def with_values(
    files: AwsFiles, profile: str, values: Mapping[str, str | None], *, in_credentials: bool = True
) -> Edit:
    """Return the edit that writes values into a profile, each in the place of its own line, if there is one."""
    path, present = _section(files, profile, in_credentials=in_credentials)
    lines = _lines(path)
    numbers = {
        name: _line_of(files, profile, name, in_credentials=in_credentials) for name in values if name in present
    }
    changed = list(lines)
    for name, number in numbers.items():
        changed[number - 1] = _line(name, values[name] or "", lines[number - 1])
    missing = {name: value or "" for name, value in values.items() if name not in numbers}
    changed, header = _inserted(changed, profile, missing, in_credentials=in_credentials)
    return _checked(path, lines, changed, header, values, [f"+{name} = …" for name in values])


def without_section(files: AwsFiles, profile: str) -> Edit:
    """Return the edit that takes a section out of the credentials file: its header, and all lines up to the next."""
    path = files.credentials_path
    lines = _lines(path)
    header = _header(lines, profile, in_credentials=True)
    headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    start = next(number for number in headers if _name_of(lines[number]) == header)
    end = next((number for number in headers if number > start), len(lines))
    first = start - 1 if start and not lines[start - 1].strip() else start  # the empty line that we have added
    kept = [*lines[:first], *lines[end:]]
    wanted = _parsed(lines)
    wanted.pop(header or "", None)
    if wanted != _parsed(kept):
        raise _unsafe(path)
    return Edit(path, b"".join(lines), b"".join(kept), (f"-[{header}]",))


def with_process(files: AwsFiles, profile: str, command: str) -> Edit:
    """Return the edit that gives a profile of the config file a credential_process, in the place of one that it has."""
    path, values = _section(files, profile, in_credentials=False)
    lines, shown = _lines(path), [f"+{PROCESS_KEY} = {command}"]
    if PROCESS_KEY in values:
        number = _line_of(files, profile, PROCESS_KEY, in_credentials=False)
        changed = [*lines[: number - 1], _line(PROCESS_KEY, command, lines[number - 1]), *lines[number:]]
        header = _header(lines, profile, in_credentials=False)
        shown = [f"-{PROCESS_KEY} = {values[PROCESS_KEY]}", *shown]
    else:
        changed, header = _inserted(lines, profile, {PROCESS_KEY: command}, in_credentials=False)
    return _checked(path, lines, changed, header, {PROCESS_KEY: command}, shown)


def without_process(files: AwsFiles, profile: str) -> Edit:
    """Return the edit that takes the credential_process out of a profile of the config file."""
    path, values = _section(files, profile, in_credentials=False)
    lines = _lines(path)
    number = _line_of(files, profile, PROCESS_KEY, in_credentials=False)
    header = _header(lines, profile, in_credentials=False)
    changed = [*lines[: number - 1], *lines[number:]]
    return _checked(path, lines, changed, header, {PROCESS_KEY: None}, [f"-{PROCESS_KEY} = {values[PROCESS_KEY]}"])


def write(edit: Edit) -> None:
    """Carry an edit out, in one step. The mode of the file stays, and a link stays a link. Raises ConfigError."""
    target = Path(os.path.realpath(edit.path))
    if not _is_as_before(edit):
        raise _changed(edit)
    mode = target.stat().st_mode & 0o7777 if edit.before is not None else _NEW_MODE
    if edit.adds_secret and mode & 0o077:
        raise ConfigError(
            f"others may read {edit.path}, so no secret is written into it", command_line("chmod 600", edit.path)
        )
    try:
        make_folder(target.parent)
        replace_file(target, edit.after, mode, lambda: _is_as_before(edit))
    except ChangedError:
        raise _changed(edit) from None
    except OSError as error:
        raise ConfigError(f"cannot write {edit.path}: {error.strerror}", f"make {target.parent} writable") from None


def _is_as_before(edit: Edit) -> bool:
    return read_bytes(edit.path) == edit.before


def _changed(edit: Edit) -> ConfigError:
    return ConfigError(
        f"{edit.path} has changed in the meantime", "repeat the command: it begins with the file as it is"
    )


def _section(files: AwsFiles, profile: str, *, in_credentials: bool) -> tuple[str, Mapping[str, object]]:
    if in_credentials:
        return files.credentials_path, files.credentials_sections.get(profile, {})
    return files.config_path, files.config_profiles.get(profile, {})


def _lines(path: str) -> list[bytes]:
    """Return the lines of a file, each with its end. Raises ConfigError for a file that is not a regular one."""
    data = read_bytes(path)
    if data is None and os.path.lexists(path):
        raise ConfigError(f"cannot change {path}: it is no regular file, or larger than 1 MiB", f"check {path}")
    return [line for line in _LINE.findall(data or b"") if line]


def _line_of(files: AwsFiles, profile: str, name: str, *, in_credentials: bool) -> int:
    where = Provenance(files)
    place = (where.in_credentials if in_credentials else where.in_config)(profile, name)
    number = place.rpartition(":")[2]
    if not number.isdecimal():
        raise _unsafe(place)
    return int(number)


def _header(lines: Sequence[bytes], profile: str, *, in_credentials: bool) -> str | None:
    """Return the name of the section that a profile has in a file, as it is written there. Of two the later counts."""
    names = [name for name in map(_name_of, lines) if name is not None]
    own = [name for name in names if profile == (name if in_credentials else profile_of_header(name))]
    return own[-1] if own else None


def _name_of(line: bytes) -> str | None:
    """Return the name of the section that begins with a line, or None."""
    match = _HEADER.match(line)
    return _text(match[1]) if match else None


def _inserted(
    lines: Sequence[bytes], profile: str, values: Mapping[str, str], *, in_credentials: bool
) -> tuple[list[bytes], str]:
    """Return the lines with new ones below the header of a profile, which is added if it is missing; and the header."""
    header = _header(lines, profile, in_credentials=in_credentials)
    if header is not None:
        at = max(number for number, line in enumerate(lines) if _name_of(line) == header)
        before, rest = [*lines[: at + 1]], lines[at + 1 :]
    else:
        title = f"[{profile}]" if in_credentials else section_header(profile)
        header, rest = title[1:-1], ()
        before = [*lines]
        if before:
            before[-1] = _ended(before[-1])
            before.append(_end_of(before[-1]))
        before.append(_bytes(title) + (_end_of(lines[0]) if lines else b"\n"))
    if not values:
        return [*before, *rest], header
    before[-1] = _ended(before[-1])
    return [*before, *(_line(name, value, before[-1]) for name, value in values.items()), *rest], header


def _line(name: str, value: str, like: bytes) -> bytes:
    """Return a line, with the line end of another one."""
    return _bytes(f"{name} = {value}") + _end_of(like)


def _end_of(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def _ended(line: bytes) -> bytes:
    return line if _end_of(line) else line + b"\n"


def _checked(  # noqa: PLR0913, PLR0917 - all that makes an edit
    path: str,
    before: Sequence[bytes],
    after: Sequence[bytes],
    header: str | None,
    changes: Mapping[str, str | None],
    shown: Sequence[str],
) -> Edit:
    """Return the edit, if the new text says the same but for `changes` in one section. Raises ConfigError."""
    is_new = not before and not os.path.lexists(path)
    adds = changes.get(KEY_NAMES[1]) is not None
    edit = Edit(path, None if is_new else b"".join(before), b"".join(after), tuple(shown), adds)
    wanted = _parsed(before)
    section = dict(wanted.get(header or "", {}))
    for name, value in changes.items():
        section.pop(name, None) if value is None else section.update({name: value})
    if header is None or {**wanted, header: section} != _parsed(after):
        raise _unsafe(path)
    return edit


def _parsed(lines: Sequence[bytes]) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(re.sub(r"\r\n?", "\n", _text(b"".join(lines))))
    except configparser.Error:
        return {"": {"": ""}}  # equal to nothing that is wanted: a header is never empty
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _unsafe(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is written in a way that we cannot change safely", "write each key on one line in its own section"
    )


def _text(data: bytes) -> str:
    # botocore reads the files in the locale's encoding.
    return data.decode(locale.getpreferredencoding(do_setlocale=False), "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(locale.getpreferredencoding(do_setlocale=False), "surrogateescape")
