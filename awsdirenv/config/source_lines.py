"""Finds the file and the line of each value in AWS's files.

configparser's own reader finds the lines, and botocore's own rules name the sections. So we need no copy of their rules
(continued lines, quoted names, [DEFAULT], the later of two spellings), which could be wrong.
"""

from __future__ import annotations

import configparser
import io
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property

from awsdirenv.config.aws_files import INCLUDED, MOST_INCLUSIONS, AwsFiles, giver_of, sections_by_kind
from awsdirenv.config.ini_lines import Key, LineParser, parsed_lines, text_of
from awsdirenv.records import Record

TYPE_CHECKING = False  # `status` needs this module, and `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

# A bracket at the begin of a line. A search for a literal one is several times faster than one for `^`.
_BRACKET = r"\[(?<![^\n]\[)"
_HEADER = re.compile(_BRACKET + r"([^\n]*)\]")
_PLAIN = re.compile(r"profile\s+([^\s'\"\\]+)\s*")


_Sections = dict[str, dict[str, int]]  # line numbers by section and key
_Section = Mapping[str, tuple[str, int]]  # value and line number by key
_Span = tuple[int, int]  # the begin and the end of a part of a text


class Provenance:
    """Finds the places of keys, as `path:line`. Each file is read when it is first needed."""

    def __init__(self, files: AwsFiles) -> None:
        """Keep the parsed files. They are read again for their lines."""
        self._files = files
        self._read: dict[str, Mapping[str, Any]] = {}

    def of(self, profile: str, key: str) -> str:
        """Return the place of a profile's key: in the credentials file, the config file, or an included profile."""
        given = self._files.inclusions, self._files.config_profiles, self._files.credentials_sections
        if key == "sso_region" and not any(key in values.get(profile, {}) for values in given):
            key = "sso_start_url"  # whose host names the region
        giver, in_credentials = giver_of(self._files, profile, key)
        return self.in_credentials(giver, key) if in_credentials else self.in_config(giver, key)

    def in_config(self, profile: str, key: str) -> str:
        """Return the place of a key in a profile of the config file."""
        return self._at(self._files.config_path, self._config()["profiles"], profile, key)

    def in_credentials(self, profile: str, key: str) -> str:
        """Return the place of a key in a section of the credentials file."""
        path = self._files.credentials_path
        if path not in self._read:
            self._read[path] = _lines(path)
        return self._at(path, self._read[path], profile, key)

    def in_sso_session(self, name: str, key: str) -> str:
        """Return the place of a key in an [sso-session]."""
        sections = self._config()["sso_sessions"]
        if key == "sso_region" and key not in sections.get(name, {}):
            key = "sso_start_url"
        return self._at(self._files.config_path, sections, name, key)

    def in_service(self, name: str, service: str, key: str) -> str:
        """Return the place of a service's key in a [services] section: an indented line below the service's name."""
        path = self._files.config_path
        first = self._config()["services"].get(name, {}).get(service)
        line = first and _nested_line(path, first, key)
        return f"{path}:{line}" if line else path

    def _config(self) -> Mapping[str, Any]:
        key = f"{self._files.config_path} as profiles"  # both paths may name the same file
        if key not in self._read:
            self._read[key] = sections_by_kind(_lines(self._files.config_path))
        return self._read[key]

    @staticmethod
    def _at(path: str, sections: Mapping[str, Mapping[str, int]], name: str, key: str) -> str:
        line = sections.get(name, {}).get(key)
        return path if line is None else f"{path}:{line}"  # None: the file was changed after it was parsed


def _lines(path: str) -> _Sections:
    """Return the line of every key in every section. botocore's raw_config_parse returns the same keys with values."""
    reader = parsed_lines(path)
    if reader is None:  # it could be parsed before, so it was changed in between
        return {}
    return {
        section: {str(key): key.line for key in reader.options(section) if isinstance(key, Key)}
        for section in reader.sections()
    }


def _nested_line(path: str, first: int, key: str) -> int | None:
    """Return the line of a key in the indented lines below line `first`. The last one counts, as in botocore."""
    key_line = None
    for number, line in enumerate(text_of(path).split("\n")[first:], start=first + 1):
        if line.strip() and not line[0].isspace() and line[0] not in "#;":
            break
        if line.partition("=")[0].strip() == key:
            key_line = number
    return key_line


class SourcedValue(Record):
    """A value, and its place as `path:line`."""

    value: str
    source: str


class ProfileReader:
    """Reads single values from a pair of AWS's files. Parts that cannot be read are treated as missing."""

    def __init__(self, config: str, credentials: str) -> None:
        """Keep the paths of the two files."""
        self._files = (_File(credentials, is_config=False), _File(config, is_config=True))

    def value(self, profile: str, key: str) -> SourcedValue | None:
        """Return a value of a profile, its own or one of include_profile. The credentials file wins."""
        for _ in range(MOST_INCLUSIONS + 1):
            own = self._own(profile, key)
            if own and own.value:
                return None if "\n" in own.value else own  # with several lines, one may be the secret key
            included = self._own(profile, "include_profile") if key in INCLUDED else None
            if not included:
                return None
            profile = included.value
        return None

    def _own(self, profile: str, key: str) -> SourcedValue | None:
        for file in self._files:
            entry = file.section(profile).get(key)
            if entry:
                return SourcedValue(entry[0], f"{file.path}:{entry[1]}")
        return None


class _File:
    def __init__(self, path: str, *, is_config: bool) -> None:
        self.path = path
        self._is_config = is_config
        self._parsed: dict[str, _Section] = {}

    def section(self, profile: str) -> _Section:
        """Return the section of a profile."""
        if profile not in self._parsed:
            self._parsed[profile] = _parse(self._text, self._find(profile))
        return self._parsed[profile]

    @cached_property
    def _text(self) -> str:
        return text_of(self.path)

    def _find(self, profile: str) -> list[_Span]:
        """Return the spans of [DEFAULT], which every section inherits in configparser, and of the profile's section.

        Of two spellings of a name the later one counts. Only headers that may be one are looked at: of 5,000 a few.
        """
        own, defaults = None, []
        name = re.escape(profile)
        for header in re.finditer(rf"{_BRACKET}([^\n]*(?:{name}|['\"\\]|DEFAULT)[^\n]*)\]", self._text):
            following = _HEADER.search(self._text, header.end())
            span = header.start(), following.start() if following else len(self._text)
            if header[1] == configparser.DEFAULTSECT:
                defaults.append(span)
            elif profile == (profile_of_header(header[1]) if self._is_config else header[1]):
                own = span
        return [*defaults, own] if own else []


def _parse(text: str, places: Sequence[_Span]) -> _Section:
    """Parse these parts of a text as if they were a whole file. The last part begins with the section to return."""
    if not places:
        return {}
    lines: list[str] = []
    numbers: list[int] = []
    for start, end in places:
        part = text[start:end].removesuffix("\n").split("\n")
        first = text.count("\n", 0, start) + 1
        lines += part
        numbers += range(first, first + len(part))
    reader = LineParser()
    try:
        reader.read_file(reader.counted(io.StringIO("".join(f"{line}\n" for line in lines))))
    except configparser.Error:
        return {}
    section_values: dict[str, tuple[str, int]] = {}
    for section in reader.sections()[:1]:  # an indented header may begin a second section
        for key in reader.options(section):
            section_values[str(key)] = (reader.get(section, key, raw=True), numbers[getattr(key, "line", 1) - 1])
    return section_values


def profile_of_header(header: str) -> str | None:
    """Return the profile of a section's header in the config file, as botocore reads it. None for other sections."""
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
