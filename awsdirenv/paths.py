"""Our folders and file names, and AWS's. Nothing here touches the disk.

direnvrc.d/aws_profile.sh computes `snapshot_key` on its own, to find a snapshot without starting Python; the two are
held together by tests/test_snapshot.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from awsdirenv.errors import ProfileNameError

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST_NAME = 200  # bytes, encoded: leaves room for a suffix within the usual 255 of a file name

# What else decides which account a profile's name stands for. Two directories may differ in it and must not share a
# snapshot. The letters only keep the values apart.
_CONTEXT_VARIABLES = (
    ("c", "AWS_CONFIG_FILE"),
    ("s", "AWS_SHARED_CREDENTIALS_FILE"),
    ("e", "AWS_ENDPOINT_URL_STS"),
    ("u", "AWS_ENDPOINT_URL"),
    ("i", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
)
# Those of them that decide which STS answers.
ENDPOINT_VARIABLES = tuple(name for _, name in _CONTEXT_VARIABLES if "ENDPOINT" in name)


# What decides whose credentials a profile has that leaves it to the environment or to the machine.
_DECIDING_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)
# All that such a profile is resolved from.
ATTACHED_VARIABLES = (
    *_DECIDING_VARIABLES,
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)


@dataclass(frozen=True)
class CachePaths:
    """Where we keep things: one folder of ours, 0700, in the user's cache folder."""

    root: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> CachePaths:
        """Follow the XDG base directory specification, which says to ignore a relative XDG_CACHE_HOME."""
        base = environ.get("XDG_CACHE_HOME", "")
        return cls((Path(base) if base.startswith("/") else home(environ) / ".cache") / "awsdirenv")

    @property
    def snapshots(self) -> Path:
        """One file per profile, which the extension reads."""
        return self.root / "snapshots"

    @property
    def sessions(self) -> Path:
        """One file per STS session (of an MFA device, of a role), which only we read."""
        return self.root / "sessions"

    @property
    def locks(self) -> Path:
        """One file per thing that is refreshed. Never unlinked: that would split those who wait."""
        return self.root / "locks"

    @property
    def marks(self) -> Path:
        """Small notes with a short life: used MFA codes (hashed), steps a person cancelled."""
        return self.root / "marks"

    @property
    def mfa_renewed(self) -> Path:
        """Rewritten when an MFA session begins; the extension has closed directories watch it."""
        return self.marks / "mfa-renewed"

    @property
    def watches(self) -> Path:
        """What `direnv watch` answered before, kept by the extension to spare a process."""
        return self.root / "watches"

    @property
    def names(self) -> Path:
        """Which profile a `.env` declares, so that the extension need not understand `.env` files."""
        return self.root / "names"

    @property
    def claims(self) -> Path:
        """Which shell of many, all at once, starts Python: the extension makes them, we take them away."""
        return self.root / "claims"

    @property
    def timers(self) -> Path:
        """Which process keeps a snapshot fresh, and when the extension last exported it."""
        return self.root / "timers"

    @property
    def confirmed(self) -> Path:
        """That a person has said they mean to enter: one note for each snapshot."""
        return self.root / "confirmed"

    @property
    def directories(self) -> Path:
        """Which directories we have served: one note for each."""
        return self.root / "directories"

    @property
    def live(self) -> Path:
        """AWS's files as programs in live directories see them: nothing secret is in there."""
        return self.root / "live"

    def folders(self) -> list[Path]:
        """Every folder, outermost first."""
        ours = [self.snapshots, self.sessions, self.locks, self.marks, self.watches, self.names, self.claims]
        return [self.root, *ours, self.timers, self.directories, self.live, self.confirmed]


def home(environ: Mapping[str, str]) -> Path:
    """Give the home folder."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def data_home(environ: Mapping[str, str]) -> Path:
    """Give the folder of the user's programs' data, by the XDG base directory specification."""
    base = environ.get("XDG_DATA_HOME", "")
    return Path(base) if base.startswith("/") else home(environ) / ".local" / "share"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Give our folder there, which `setup` writes."""
    return data_home(environ) / "awsdirenv"


def direnv_lib(environ: Mapping[str, str]) -> Path:
    """Give the folder whose *.sh direnv sources, as direnv's own stdlib finds it."""
    config = environ.get("DIRENV_CONFIG")
    if config:
        return Path(config) / "lib"
    return Path(environ.get("XDG_CONFIG_HOME") or home(environ) / ".config") / "direnv" / "lib"


def extension_source() -> Path:
    """Give our extension: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    packaged = package / "direnvrc.d" / "aws_profile.sh"
    return packaged if packaged.exists() else package.parent / "direnvrc.d" / "aws_profile.sh"


def encode_name(name: str) -> str:
    """Make a profile name a file name: every byte but letters, digits, `_`, `-` and inner `.` becomes %XX.

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
    """Undo `encode_name`."""
    raw = bytearray()
    parts = encoded.split("%")
    raw += parts[0].encode("ascii")
    for part in parts[1:]:
        raw += bytes([int(part[:2], 16)]) + part[2:].encode("ascii")
    return os.fsdecode(bytes(raw))


def snapshot_key(profile: str, environ: Mapping[str, str], duration: int | None = None) -> str:
    """Name the snapshot of a profile, with the life in seconds that a directory wants for it, if it does.

    A hash suffix is added only where the environment differs from the default, so that the common case costs the
    extension nothing. It is no proof of anything: what a snapshot stands for is checked from its content.
    """
    context = "".join(f"{mark}={environ[name]}\n" for mark, name in _CONTEXT_VARIABLES if name in environ)
    context += f"d={duration}\n" if duration else ""
    stem = encode_name(profile)
    return f"{stem}@{_fnv1a(os.fsencode(context)):08x}" if context else stem


def environment_mark(environ: Mapping[str, str]) -> str:
    """Tell one environment and machine from another, for profiles that take their credentials from there."""
    # A home on a network file system has many machines; bash knows the name of its own as we do.
    values = [*(environ.get(name, "") for name in _DECIDING_VARIABLES), environ.get("HOSTNAME", socket.gethostname())]
    return f"{_fnv1a(os.fsencode(chr(10).join(values))):08x}"


def name_key(dotenv: Path, environ: Mapping[str, str]) -> str:
    """Name the note which profile a `.env` declares; AWS_PROFILE is what it falls back on."""
    text = f"{dotenv}\n{environ.get('AWS_PROFILE', '')}"
    return f"{_fnv1a(os.fsencode(text)):08x}"


def session_key(kind: str, *parts: object) -> str:
    """Name a session by everything that decides what it is. The name tells nothing of the parts."""
    text = json.dumps([kind, *parts], sort_keys=True, default=str)
    return f"{kind}-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def _fnv1a(data: bytes) -> int:
    """Hash as FNV-1a, 32 bits: the one decent hash that bash can do without a process."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value
