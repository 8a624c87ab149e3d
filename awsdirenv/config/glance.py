"""What AWS's files say in single profiles, with the lines: for those few that we hold, out of any number.

Only the sections asked for are parsed, by configparser itself. It is for showing: botocore (`aws_files`) decides what a
profile means, and takes a quarter of a second for five thousand.
"""

from __future__ import annotations

import configparser
import io
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from awsdirenv.config.aws_files import INCLUDED
from awsdirenv.config.source_lines import Reader
from awsdirenv.records import Record

_HEADER = re.compile(r"^\[([^\n]*)\]", re.MULTILINE)
_PLAIN = re.compile(r"profile\s+([^\s'\"\\]+)\s*")
_MOST_INCLUSIONS = 20

_Place = tuple[int, int]  # where a part of a text begins and ends
_Section = Mapping[str, tuple[str, int]]  # by key: value and line


class Said(Record):
    """A value, and where it stands, as `path:line`."""

    value: str
    source: str


class Glance:
    """The profiles of a pair of files, as far as they can be read. What cannot be is as if it were not there."""

    def __init__(self, config: str, credentials: str) -> None:
        """Take the paths."""
        self._files = (_File(credentials, is_config=False), _File(config, is_config=True))

    def said(self, profile: str, key: str) -> Said | None:
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

    def _own(self, profile: str, key: str) -> Said | None:
        for file in self._files:
            found = file.section(profile).get(key)
            if found:
                return Said(found[0], f"{file.path}:{found[1]}")
        return None


class _File:
    def __init__(self, path: str, *, is_config: bool) -> None:
        self.path = path
        self._is_config = is_config
        self._text: str | None = None
        self._places: dict[str, _Place] = {}
        self._defaults: list[_Place] = []  # [DEFAULT], which configparser has every section inherit
        self._parsed: dict[str, _Section] = {}

    def section(self, profile: str) -> _Section:
        """Give the section of a profile."""
        if self._text is None:
            self._text = _read(self.path)
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


def _parse(text: str, places: Sequence[_Place]) -> _Section:
    """Parse these parts as if they were the file; the last one begins with the section that counts."""
    lines: list[str] = []
    numbers: list[int] = []
    for start, end in places:
        part = text[start:end].removesuffix("\n").split("\n")
        first = text.count("\n", 0, start) + 1
        lines += part
        numbers += range(first, first + len(part))
    reader = Reader()
    try:
        reader.read_file(reader.counted(io.StringIO("".join(f"{line}\n" for line in lines))))
    except configparser.Error:
        return {}
    found: dict[str, tuple[str, int]] = {}
    for section in reader.sections()[:1]:  # an indented header may begin another
        for key in reader.options(section):
            found[str(key)] = (reader.get(section, key, raw=True), numbers[getattr(key, "line", 1) - 1])
    return found


def _read(path: str) -> str:
    try:
        file = Path(path)
        return file.read_text(encoding=io.text_encoding(None), errors="replace") if file.is_file() else ""
    except OSError:
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
