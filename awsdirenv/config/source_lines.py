"""In which file and on which line AWS's files say something: what botocore reads, with its lines.

configparser's own reader finds the lines and botocore's own rules name the sections, so that no rule of theirs
(continued lines, quoted names, [DEFAULT], the later of two spellings) has a copy here that could be wrong.
"""

from __future__ import annotations

import configparser
import io
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from awsdirenv.config.aws_files import INCLUDED, AwsFiles, sections_by_kind
from awsdirenv.records import Record

TYPE_CHECKING = False  # `status` needs this module, and `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

_HEADER = re.compile(r"^\[([^\n]*)\]", re.MULTILINE)
_PLAIN = re.compile(r"profile\s+([^\s'\"\\]+)\s*")
_MOST_INCLUSIONS = 20


_Sections = dict[str, dict[str, int]]  # by section and key: the number of the line
_Section = Mapping[str, tuple[str, int]]  # by key: value and line
_Span = tuple[int, int]  # where a part of a text begins and ends


class Provenance:
    """Tells where keys stand, as `path:line`. Each file is read at the first question about it."""

    def __init__(self, files: AwsFiles) -> None:
        """Take the parsed files; they are read again for their lines."""
        self._files = files
        self._read: dict[str, Mapping[str, Any]] = {}

    def of(self, profile: str, key: str) -> str:
        """Say where a profile has a key from: the credentials file before the config file, or another profile."""
        giver = self._files.inclusions.get(profile, {}).get(key, profile)
        if key in self._files.credentials_sections.get(giver, {}):
            return self.in_credentials(giver, key)
        return self.in_config(giver, key)

    def in_config(self, profile: str, key: str) -> str:
        """Say where a profile of the config file has a key."""
        return self._at(self._files.config_path, self._config()["profiles"], profile, key)

    def in_credentials(self, profile: str, key: str) -> str:
        """Say where a section of the credentials file has a key."""
        path = self._files.credentials_path
        if path not in self._read:
            self._read[path] = _lines(path)
        return self._at(path, self._read[path], profile, key)

    def in_sso_session(self, name: str, key: str) -> str:
        """Say where an [sso-session] has a key."""
        return self._at(self._files.config_path, self._config()["sso_sessions"], name, key)

    def in_service(self, name: str, service: str, key: str) -> str:
        """Say where a [services] section has a key of a service: on an indented line below the service's own."""
        path = self._files.config_path
        first = self._config()["services"].get(name, {}).get(service)
        line = first and _nested_line(path, first, key)
        return f"{path}:{line}" if line else path

    def _config(self) -> Mapping[str, Any]:
        key = f"{self._files.config_path} as profiles"  # the two paths may be one
        if key not in self._read:
            self._read[key] = sections_by_kind(_lines(self._files.config_path))
        return self._read[key]

    @staticmethod
    def _at(path: str, sections: Mapping[str, Mapping[str, int]], name: str, key: str) -> str:
        line = sections.get(name, {}).get(key)
        return path if line is None else f"{path}:{line}"  # none: the file was changed between two looks


class _Key(str):
    """A key that knows its line. configparser keeps, for each key of a section, the very object it was handed."""

    __slots__ = ("line",)
    line: int


class _LineParser(configparser.RawConfigParser):
    """Notes on which line each key stands: a key is handed to `optionxform` while its line is the last one read."""

    def __init__(self) -> None:
        super().__init__()
        self._line = 0

    def counted(self, lines: io.TextIOBase) -> Iterator[str]:
        """Give the lines, and keep count."""
        for self._line, line in enumerate(lines, start=1):
            yield line

    def optionxform(self, optionstr: str) -> str:
        """Make the key that configparser would, with its line."""
        key = _Key(super().optionxform(optionstr))
        key.line = self._line
        return key


def _lines(path: str) -> _Sections:
    """Give every key of every section with its line, as botocore's raw_config_parse gives them with their values."""
    reader = _LineParser()
    try:
        reader.read_file(reader.counted(io.StringIO(_text(path))), path)
    except configparser.Error:  # parsed a moment ago, so it was changed meanwhile
        return {}
    return {
        section: {str(key): key.line for key in reader.options(section) if isinstance(key, _Key)}
        for section in reader.sections()
    }


def _nested_line(path: str, first: int, key: str) -> int | None:
    """Give the line of a key among the indented ones below line `first`; the last one counts, as in botocore."""
    found = None
    for number, line in enumerate(_text(path).split("\n")[first:], start=first + 1):
        if line.strip() and not line[0].isspace() and line[0] not in "#;":
            break
        if line.partition("=")[0].strip() == key:
            found = number
    return found


class SourcedValue(Record):
    """A value, and where it stands, as `path:line`."""

    value: str
    source: str


class ProfileReader:
    """The profiles of a pair of files, as far as they can be read. What cannot be is as if it were not there."""

    def __init__(self, config: str, credentials: str) -> None:
        """Take the paths."""
        self._files = (_File(credentials, is_config=False), _File(config, is_config=True))

    def value(self, profile: str, key: str) -> SourcedValue | None:
        """Give what a profile says, itself or through include_profile; the credentials file before the config file."""
        for _ in range(_MOST_INCLUSIONS):
            found = self._own(profile, key)
            if found and found.value:
                return None if "\n" in found.value else found  # of several lines one may be the secret key
            included = self._own(profile, "include_profile") if key in INCLUDED else None
            if not included:
                return None
            profile = included.value
        return None

    def _own(self, profile: str, key: str) -> SourcedValue | None:
        for file in self._files:
            found = file.section(profile).get(key)
            if found:
                return SourcedValue(found[0], f"{file.path}:{found[1]}")
        return None


class _File:
    def __init__(self, path: str, *, is_config: bool) -> None:
        self.path = path
        self._is_config = is_config
        self._text: str | None = None
        self._places: dict[str, _Span] = {}
        self._defaults: list[_Span] = []  # [DEFAULT], which configparser has every section inherit
        self._parsed: dict[str, _Section] = {}

    def section(self, profile: str) -> _Section:
        """Give the section of a profile."""
        if self._text is None:
            self._text = _text(self.path)
            self._find(self._text)
        if profile not in self._parsed:
            place = self._places.get(profile)
            self._parsed[profile] = _parse(self._text, [*self._defaults, place]) if place else {}
        return self._parsed[profile]

    def _find(self, text: str) -> None:
        """Note where each profile's section begins and ends; of two spellings of one name botocore takes the later."""
        headers = list(_HEADER.finditer(text))
        starts = [*(header.start() for header in headers), len(text)]
        for header, place in zip(headers, pairwise(starts), strict=True):
            name = _profile_of(header[1]) if self._is_config else header[1]
            if header[1] == configparser.DEFAULTSECT:
                self._defaults.append(place)
            elif name is not None:
                self._places[name] = place


def _parse(text: str, places: Sequence[_Span]) -> _Section:
    """Parse these parts as if they were the file; the last one begins with the section that counts."""
    lines: list[str] = []
    numbers: list[int] = []
    for start, end in places:
        part = text[start:end].removesuffix("\n").split("\n")
        first = text.count("\n", 0, start) + 1
        lines += part
        numbers += range(first, first + len(part))
    reader = _LineParser()
    try:
        reader.read_file(reader.counted(io.StringIO("".join(f"{line}\n" for line in lines))))
    except configparser.Error:
        return {}
    found: dict[str, tuple[str, int]] = {}
    for section in reader.sections()[:1]:  # an indented header may begin another
        for key in reader.options(section):
            found[str(key)] = (reader.get(section, key, raw=True), numbers[getattr(key, "line", 1) - 1])
    return found


def _text(path: str) -> str:
    """Give what is in a file, in the locale's encoding, as configparser reads it; nothing where it cannot be read."""
    try:
        file = Path(path)
        return file.read_text(encoding=io.text_encoding(None), errors="replace") if file.is_file() else ""
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return ""


def _profile_of(header: str) -> str | None:
    """Give the profile that a section of the config file is for, as botocore reads it."""
    plain = _PLAIN.fullmatch(header)
    if plain:
        return plain[1]
    if header == "default":
        return header
    try:
        words = shlex.split(header)
    except ValueError:
        return None
    return words[1] if len(words) == 2 and words[0] == "profile" else None
