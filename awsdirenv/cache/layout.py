"""Our folders and file names, and AWS's. Nothing here touches the disk.

direnvrc.d/find.sh computes `snapshot_key` on its own, to find a snapshot without starting Python; the two are held
together by tests/shells/test_snapshot.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from awsdirenv.config.environment import SessionOptions, context_text
from awsdirenv.records import Record
from awsdirenv.system.files import encode_name, home
from awsdirenv.system.text import text_number

_USED = ".used"


class CachePaths(Record):
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


def snapshot_key(
    profile: str,
    environ: Mapping[str, str],
    options: SessionOptions = SessionOptions(),  # noqa: B008 - frozen
) -> str:
    """Name the snapshot of a profile, with what a directory or a command asks of the session.

    A number is added only where the environment differs from the default, so that the common case costs the extension
    nothing; and where another name is the same to some file systems, or a mark beside the timer's would have this name.
    It is no proof of anything: what a snapshot stands for is checked from its content.
    """
    context, stem = context_text(environ, options), encode_name(profile)
    is_alone = stem == stem.lower() and not stem.endswith(_USED)
    return stem if is_alone and not context else f"{stem}@{text_number(f'{stem} {context}'):016x}"


def used_mark(folder: Path, key: str) -> Path:
    """Return the mark that the extension touches when it exports a snapshot. No snapshot has such a name."""
    return folder / f"{key}{_USED}"


def name_key(dotenv: Path, environ: Mapping[str, str]) -> str:
    """Name the note which profile a `.env` declares; AWS_PROFILE is what it falls back on."""
    fallback = f"={environ['AWS_PROFILE']}" if "AWS_PROFILE" in environ else ""
    return f"{text_number(f'{dotenv} {fallback}'):016x}"


def mode_key(dotenv: Path) -> str:
    """Name the note which AWSDIRENV_MODE a `.env` declares."""
    return f"{text_number(f'{dotenv} AWSDIRENV_MODE'):016x}"


def session_key(kind: str, *parts: object) -> str:
    """Name a session by everything that decides what it is. The name tells nothing of the parts."""
    import hashlib  # noqa: PLC0415
    import json  # noqa: PLC0415

    text = json.dumps([kind, *parts], sort_keys=True, default=str)
    return f"{kind}-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
