"""Where the long-term keys of profiles are: the output of `awsdirenv keys list`. Neither keychain nor AWS is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime

from awsdirenv.cache import key_records
from awsdirenv.cache.layout import CachePaths
from awsdirenv.config.aws_files import AwsFiles, load_files, section_of, static_keys
from awsdirenv.config.chain import KEYCHAIN, STATIC
from awsdirenv.config.keychain_command import keychain_entry
from awsdirenv.config.resolve import source_kind
from awsdirenv.records import Record
from awsdirenv.reports.table import YELLOW, Canvas, Column, Row, table
from awsdirenv.session_credentials import from_epoch
from awsdirenv.system.text import key_end, utc_text

_COLUMNS = (
    Column("profile", 16),
    Column("key"),
    Column("where", 20, keeps_end=True),
    Column("age", 10),
    Column("state", colour=lambda _state: YELLOW),
)


class ListedKey(Record):
    """The long-term key of a profile. `shown` is the end of its id, None if that is not known without the keychain.

    `since`: the key is from that time if `is_made_then`, else from that time or older. None: it is not known.
    """

    profile: str
    shown: str | None
    path: str | None  # of the file that has it in plain text; None: it is in the keychain
    since: datetime | None
    is_made_then: bool
    is_rotating: bool


def found(environ: Mapping[str, str]) -> list[ListedKey]:
    """Return the keys in the order of AWS's files. Raises ConfigError if a file cannot be parsed."""
    files, paths = load_files(environ), CachePaths.from_environ(environ)
    return of_files(files, paths)


def of_files(files: AwsFiles, paths: CachePaths) -> list[ListedKey]:
    """Return the keys of parsed files."""
    names = dict.fromkeys([*files.config_profiles, *files.credentials_sections])
    listed = [_in_keychain(files, paths, name) or _in_file(files, name) for name in names]
    return [key for key in listed if key]


def _in_file(files: AwsFiles, profile: str) -> ListedKey | None:
    """Return the key that a profile has in plain text, or None. It is as old as the file, or older."""
    keys = static_keys(files, profile) if source_kind(files, profile) == STATIC else None
    if keys is None or keys[2]:
        return None
    path = section_of(files, profile, "aws_access_key_id")[1]
    try:
        since: datetime | None = from_epoch(int(os.stat(path).st_mtime))
    except (OSError, ValueError, OverflowError):
        since = None
    return ListedKey(profile, key_end(keys[0]), path, since, is_made_then=False, is_rotating=False)


def _in_keychain(files: AwsFiles, paths: CachePaths, profile: str) -> ListedKey | None:
    entry = keychain_entry(files.profiles[profile].get("credential_process"))
    if entry is None or source_kind(files, profile) != KEYCHAIN:
        return None
    record = key_records.read(paths, entry.name)
    if record is None:
        return ListedKey(profile, None, None, None, is_made_then=False, is_rotating=False)
    return ListedKey(profile, record.shown, None, record.since, record.is_made_then, record.is_rotating)


def document(keys: list[ListedKey]) -> str:
    """Return the list as JSON."""
    rows = [
        {
            "profile": key.profile,
            "key": key.shown,
            "path": key.path,
            "since": key.since and utc_text(key.since),
            "is_made_then": key.is_made_then,
            "is_rotating": key.is_rotating,
        }
        for key in keys
    ]
    return json.dumps({"version": 1, "keys": rows}, indent=2, ensure_ascii=False) + "\n"


def text(keys: list[ListedKey], canvas: Canvas, now: datetime) -> str:
    """Return the list as a table."""
    return table(_COLUMNS, [_row(key, now) for key in keys], canvas) or "no profile has a long-term key\n"


def _row(key: ListedKey, now: datetime) -> Row:
    age = None
    if key.since:
        age = key_records.age_text(key.since, now, is_made_then=key.is_made_then)
    state = key_records.state_text(is_rotating=key.is_rotating)
    return key.profile, key.shown, key.path or "keychain", age, state
