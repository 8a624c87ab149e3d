"""Which directories we have served, and still would.

Python leaves a note at a cold load. Warm ones start no Python; but what the extension remembers of direnv's watches
begins with the `.envrc` that was evaluated and the file that allows it. A directory counts as long as direnv allows
its `.envrc` and the line is still in it.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from awsdirenv.cache.layout import CachePaths, session_key
from awsdirenv.errors import CacheError
from awsdirenv.records import Record, replace
from awsdirenv.system import files
from awsdirenv.system.direnv import decode
from awsdirenv.system.files import decode_name, encode_name, read_bytes
from awsdirenv.system.stamps import file_stamp
from awsdirenv.system.text import os_bytes


class Directory(Record):
    """A directory whose `.envrc` uses a profile."""

    path: Path
    profile: str


class _Served(Record):
    """One evaluation. `allow` is the file by which direnv allows it; whom `direnv.toml` allows has none.

    `stamp` is the state of the `.envrc` in which direnv had this file for it; "" if unknown.
    """

    envrc: Path
    allow: Path
    had_allow: bool
    profile: str = ""
    stamp: str = ""

    @classmethod
    def of(cls, watches: str) -> _Served | None:
        """Read it from DIRENV_WATCHES, where direnv puts the two files first. The case of its keys has changed once."""
        decoded = decode(watches)
        entries = decoded[:2] if isinstance(decoded, list) else []
        seen = [{str(k).lower(): v for k, v in entry.items()} for entry in entries if isinstance(entry, dict)]
        paths = [entry.get("path") for entry in seen]
        if len(paths) < 2 or not all(isinstance(path, str) and path.startswith("/") for path in paths):
            return None
        return cls.sound(str(paths[0]), str(paths[1]), had_allow=seen[1].get("exists") is True)

    @classmethod
    def sound(cls, envrc: str, allow: str, *, had_allow: bool, profile: str = "", stamp: str = "") -> _Served | None:
        """Make one of paths that can be direnv's."""
        envrc_path, allow_path = (Path(os.fsdecode(os_bytes(path))) for path in (envrc, allow))
        made = cls(envrc_path, allow_path, had_allow, profile, stamp)
        return made if made.envrc.is_absolute() and made.allow.parent.name == "allow" else None

    def is_served(self, unchanged: Container[tuple[Path, Path]]) -> bool:
        """Whether direnv allows the `.envrc`, and it is the one that was evaluated, or has the line in it.

        `unchanged` has pairs of an `.envrc` and the file that direnv would look for now: they need no hash.
        """
        denials = self.allow.parent.parent / "deny"
        if _files(denials) and (denials / _hash(self.envrc, b"")).exists():
            return False
        if (self.envrc, self.allow) in unchanged:
            return self.allow.exists() or not self.had_allow
        text = read_bytes(self.envrc)
        if text is None:
            return False
        present = self.allow.with_name(_hash(self.envrc, text))
        if self.had_allow and not present.exists():
            return False
        return present == self.allow or (self.had_allow and self._is_named_in(text))

    def _is_named_in(self, text: bytes) -> bool:
        from awsdirenv.config.envrc import uses  # noqa: PLC0415

        return any(use.profile in ("", self.profile) for use in uses(os.fsdecode(text)))


def note(paths: CachePaths, profile: str, watches: str) -> None:
    """Remember that this evaluation was given the profile. Losing a note is no failure."""
    seen = _Served.of(watches)
    stamp = file_stamp(str(seen.envrc)) if seen else ""
    text = read_bytes(seen.envrc) if seen else None
    # A timer has inherited the watches of an evaluation that may be long over.
    if seen is None or text is None or _hash(seen.envrc, text) != seen.allow.name:
        return
    values = {"AWSDIRENV_PROFILE": encode_name(profile), "ENVRC": str(seen.envrc), "ALLOW": str(seen.allow)}
    values |= {"ALLOWED": "1" if seen.had_allow else "0", "STAMP": stamp}
    with suppress(CacheError, OSError, UnicodeError):
        files.write_private(paths.directories / session_key("directory", str(seen.envrc)), values)


def known(paths: CachePaths) -> list[Directory]:
    """Return the directories that we serve, by path. If several profiles are known for one, the latest counts."""
    latest: dict[Path, tuple[float, _Served]] = {}
    noted = list(_noted(paths.directories))
    unchanged = {(seen.envrc, seen.allow) for _, seen in noted if seen.stamp == file_stamp(str(seen.envrc))}
    for when, seen in [*noted, *_watched(paths.watches)]:
        if when >= latest.get(seen.envrc, (0.0, seen))[0] and seen.is_served(unchanged):
            latest[seen.envrc] = when, seen
    return [Directory(envrc.parent, latest[envrc][1].profile) for envrc in sorted(latest)]


def forget(paths: CachePaths, profile: str) -> None:
    """Forget the directories of a profile, and those that are gone. Raises CacheError."""
    for path in _files(paths.directories):
        values = files.read_private(path)
        seen = _of_note(values) if values else None
        if seen is None or seen.profile == profile or not seen.envrc.exists():
            files.remove(path)
    for path in _files(paths.watches):
        if _name_of(path) == profile:
            files.remove(path)


def _noted(folder: Path) -> Iterator[tuple[float, _Served]]:
    for path in _files(folder):
        values = files.read_private(path)
        seen = _of_note(values) if values else None
        if seen:
            with suppress(OSError):
                yield path.stat().st_mtime, seen


def _of_note(values: Mapping[str, str]) -> _Served | None:
    try:
        name = decode_name(values["AWSDIRENV_PROFILE"])
        had_allow, stamp = values["ALLOWED"] == "1", values.get("STAMP", "")
        return _Served.sound(values["ENVRC"], values["ALLOW"], had_allow=had_allow, profile=name, stamp=stamp)
    except (KeyError, ValueError):
        return None


def _watched(folder: Path) -> Iterator[tuple[float, _Served]]:
    for path in _files(folder):
        name = _name_of(path)
        lines = (read_bytes(path) or b"").decode("ascii", "replace").splitlines()
        for watches in {line.split(" ")[0] for line in lines if line.endswith(" .")}:
            seen = _Served.of(watches)
            if seen and name:
                with suppress(OSError):
                    yield path.stat().st_mtime, replace(seen, profile=name)


def _name_of(path: Path) -> str | None:
    """Return the profile of a file that has the name of its snapshot."""
    try:
        return decode_name(path.name.partition("@")[0])
    except ValueError:
        return None


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.is_dir())
    except OSError:
        return []


def _hash(envrc: Path, text: bytes) -> str:
    """Hash as direnv does to name the file that allows an `.envrc`; without its content, the one that denies it."""
    import hashlib  # noqa: PLC0415

    return hashlib.sha256(os.fsencode(envrc) + b"\n" + text).hexdigest()
