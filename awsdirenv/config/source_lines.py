"""In which file and on which line AWS's files say something: what botocore reads, with its lines.

configparser's own reader finds the lines and botocore's own rules name the sections, so that no rule of theirs
(continued lines, quoted names, [DEFAULT], the later of two spellings) has a copy here that could be wrong.
"""

from __future__ import annotations

import configparser
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from awsdirenv.config.aws_files import AwsFiles, sections_by_kind

TYPE_CHECKING = False  # `status` needs this module, and `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

_Sections = dict[str, dict[str, int]]  # by section and key: the number of the line


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


class Reader(configparser.RawConfigParser):
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
    reader = Reader()
    try:
        if not Path(path).is_file():
            return {}
        with open(path, encoding=io.text_encoding(None)) as file:  # the locale's, as configparser opens it
            reader.read_file(reader.counted(file), path)
    except (OSError, ValueError, configparser.Error):  # parsed a moment ago, so it was changed meanwhile
        return {}
    return {
        section: {str(key): key.line for key in reader.options(section) if isinstance(key, _Key)}
        for section in reader.sections()
    }


def _nested_line(path: str, first: int, key: str) -> int | None:
    """Give the line of a key among the indented ones below line `first`; the last one counts, as in botocore."""
    found = None
    try:
        lines = Path(path).read_text(encoding=io.text_encoding(None)).split("\n")
    except (OSError, ValueError):
        return None
    for number, line in enumerate(lines[first:], start=first + 1):
        if line.strip() and not line[0].isspace() and line[0] not in "#;":
            break
        if line.partition("=")[0].strip() == key:
            found = number
    return found
