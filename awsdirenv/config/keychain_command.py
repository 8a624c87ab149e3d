"""The credential_process of a profile whose long-term keys are in the keychain: how it is written, and recognised."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

from awsdirenv.config.chain import KeychainEntry
from awsdirenv.system.files import decode_name, encode_name
from awsdirenv.system.text import sdk_command

_WORDS = ["keys", "get"]
_NAMED, _USER = "--name=", "--user="
_USER_ID = re.compile(r"[A-Za-z0-9]{1,128}", re.ASCII)


def keychain_command(command: Sequence[str], entry: KeychainEntry) -> str:
    """Return the credential_process that prints the keys of an entry. `command` starts awsdirenv.

    It says whose the keys are. So a session of one user is never used for the keys of another one, and yet a new key
    of the same user needs no new session.
    """
    encoded = encode_name(entry.name)
    is_plain = encoded == entry.name and not encoded.startswith("-")
    named = encoded if is_plain else f"{_NAMED}{encoded}"
    return sdk_command([*command, *_WORDS, f"{_USER}{entry.user_id}", named])


def is_gone(command: str) -> bool:
    """Return whether a command of `keychain_command` names an installation that is not there any more."""
    words = shlex.split(command)
    if not os.access(words[0], os.X_OK):
        return True
    is_python = words[1:3] == ["-I", "-c"] and len(words) > 4
    return is_python and not os.path.isfile(os.path.join(words[4], "awsdirenv", "__main__.py"))


def keychain_entry(command: object) -> KeychainEntry | None:
    """Return the entry that a credential_process asks us for. None for any other program.

    The installation may be another one, or gone: what the words mean is the same.
    """
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return None
    if len(words) < 5 or words[-4:-2] != _WORDS or not any("awsdirenv" in word for word in words[:-4]):
        return None
    user, name = words[-2:]
    user_id = user.removeprefix(_USER)
    if not user.startswith(_USER) or not _USER_ID.fullmatch(user_id):
        return None
    try:
        return KeychainEntry(decode_name(name.removeprefix(_NAMED)) if name.startswith(_NAMED) else name, user_id)
    except ValueError:
        return None
