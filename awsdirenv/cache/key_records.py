"""Notes on the long-term keys that `awsdirenv keys` has put into the keychain. They have no secret.

With them `status`, `doctor` and `awsdirenv keys list` need not ask the keychain, which may be locked. A note that is
lost is no harm.
"""

from __future__ import annotations

import contextlib
from datetime import datetime

from awsdirenv.cache.layout import CachePaths, session_key
from awsdirenv.errors import CacheError
from awsdirenv.records import Record
from awsdirenv.session_credentials import from_epoch
from awsdirenv.system import files
from awsdirenv.system.files import decode_name, encode_name

_PREFIX = "keychain-"


class KeyRecord(Record):
    """What is known of a profile's key. `since` is AWS's time of it, else the time when it was put there."""

    profile: str
    shown: str  # the last four characters of its id
    since: datetime
    is_made_then: bool  # whether AWS made the key at `since`; if not, it is older
    is_rotating: bool = False  # a rotation has begun, and has not ended

    def age(self, now: datetime) -> str:
        """Return the age for people."""
        return age_text(self.since, now, is_made_then=self.is_made_then)

    @property
    def state(self) -> str | None:
        """Return what is still to be done with the key, for people."""
        return state_text(is_rotating=self.is_rotating)


def state_text(*, is_rotating: bool) -> str | None:
    """Return what is still to be done with a key, for people."""
    return "rotation not ended" if is_rotating else None


def age_text(since: datetime, now: datetime, *, is_made_then: bool) -> str:
    """Return the age of a key for people, in days: at least that if AWS has not made it at `since`."""
    days = max((now - since).days, 0)
    text = "1 day" if days == 1 else f"{days} days"
    return text if is_made_then else f"{text} or more"


def read(paths: CachePaths, profile: str) -> KeyRecord | None:
    """Return the note on a profile's key, or None."""
    return _record(files.read_private(paths.marks / _name(profile)) or {})


def known(paths: CachePaths) -> list[KeyRecord]:
    """Return all notes, by profile."""
    try:
        names = sorted(path for path in paths.marks.iterdir() if path.name.startswith(_PREFIX))
    except OSError:
        return []
    found = [_record(files.read_private(path) or {}) for path in names]
    return sorted((record for record in found if record), key=lambda record: record.profile)


def write(paths: CachePaths, record: KeyRecord) -> None:
    """Write a note. A folder that cannot be written to is no error."""
    values = {
        "PROFILE": encode_name(record.profile),
        "SHOWN": record.shown,
        "SINCE": str(int(record.since.timestamp())),
        "MADE_THEN": str(int(record.is_made_then)),
        "ROTATING": str(int(record.is_rotating)),
    }
    with contextlib.suppress(CacheError):
        files.write_private(paths.marks / _name(record.profile), values)


def forget(paths: CachePaths, profile: str) -> None:
    """Remove the note on a profile's key."""
    with contextlib.suppress(CacheError):
        files.remove(paths.marks / _name(profile))


def _name(profile: str) -> str:
    return session_key(_PREFIX.rstrip("-"), profile)


def _record(values: dict[str, str]) -> KeyRecord | None:
    try:
        return KeyRecord(
            decode_name(values["PROFILE"]),
            values["SHOWN"],
            from_epoch(int(values["SINCE"])),
            values["MADE_THEN"] == "1",
            values["ROTATING"] == "1",
        )
    except (KeyError, ValueError, OverflowError):
        return None
