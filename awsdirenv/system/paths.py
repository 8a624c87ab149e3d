"""The user's folders, and profile names as file names. Nothing here reads or writes the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.errors import ProfileNameError

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")

_LONGEST_NAME = 200  # bytes, encoded; file names have 255 at most, and some of ours get a suffix


def home(environ: Mapping[str, str]) -> Path:
    """Return the home folder."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def data_home(environ: Mapping[str, str]) -> Path:
    """Return the folder for the data of programs, by the XDG base directory specification."""
    base = environ.get("XDG_DATA_HOME", "")
    return Path(base) if base.startswith("/") else home(environ) / ".local" / "share"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return our data folder, which `setup` writes."""
    return data_home(environ) / "awsdirenv"


def direnv_lib(environ: Mapping[str, str]) -> Path:
    """Return the folder whose *.sh files direnv sources. direnv's own stdlib finds it in the same way."""
    config = environ.get("DIRENV_CONFIG")
    if config:
        return Path(config) / "lib"
    return Path(environ.get("XDG_CONFIG_HOME") or home(environ) / ".config") / "direnv" / "lib"


def encode_name(name: str) -> str:
    """Return a profile name as a file name. Each byte becomes %XX, except letters, digits, `_`, `-` and inner `.`.

    Raises ProfileNameError for a name that is empty, has control characters, or is too long.
    """
    if not name:
        raise ProfileNameError("the profile name is empty", "name a profile, as in `use aws_profile adminrole`")
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise ProfileNameError("the profile name has control characters", "use the name as it stands in ~/.aws/config")
    encoded = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(name))
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) > _LONGEST_NAME:
        raise ProfileNameError(
            f"the profile name is too long ({len(name)} characters)", "use a name of up to 60 characters"
        )
    return encoded


def decode_name(encoded: str) -> str:
    """Return the profile name that `encode_name` has encoded."""
    raw = bytearray()
    parts = encoded.split("%")
    raw += parts[0].encode("ascii")
    for part in parts[1:]:
        raw += bytes([int(part[:2], 16)]) + part[2:].encode("ascii")
    return os.fsdecode(bytes(raw))
