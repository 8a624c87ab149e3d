"""The credentials that we hold, and what is running: the output of `awsdirenv status`.

It makes no call, asks no question, takes no lock and writes nothing. botocore is not imported: the identity of a
profile is in its snapshot, and the line of a value in AWS's files is found with `ProfileReader`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from awsdirenv.cache import directories, key_records, running, snapshots
from awsdirenv.cache.directories import Directory
from awsdirenv.cache.key_records import KeyRecord
from awsdirenv.cache.layout import CachePaths
from awsdirenv.cache.running import HeldLock, RunningTimer
from awsdirenv.cache.sessions import SessionStore
from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config.chain import account_of
from awsdirenv.config.environment import environment_region, region_variable
from awsdirenv.records import Record
from awsdirenv.reports.table import RED, STAGE, YELLOW, Canvas, Column, Row, table
from awsdirenv.session_credentials import SessionCredentials, refresh_at, time_left
from awsdirenv.system.stamps import file_stamp, stamped_path
from awsdirenv.system.text import clock_text, utc_text, with_tilde

TYPE_CHECKING = False  # source_lines imports configparser, which is only needed when there is a profile to look up
if TYPE_CHECKING:
    from awsdirenv.config.source_lines import ProfileReader

FRESH, DUE, OUTDATED, EXPIRED = "fresh", "due", "outdated", "expired"
_KEY_ID = re.compile(r"AK[A-Z0-9]{14,}")  # a session of a key without an MFA device has this as its label

_STATES = {DUE: YELLOW, OUTDATED: YELLOW, EXPIRED: RED}
_PROFILES = (
    Column("profile", 14),
    Column("account"),
    Column("role", 10),
    Column("region"),
    Column("region from", 12, keeps_end=True, may_go=True),
    STAGE,
    Column("limits", 10),
    Column("time left", colour=lambda left: _STATES.get(left.rpartition(" ")[2], "")),
)
_SESSIONS = (Column("MFA session", 24, keeps_end=True), Column("time left"))
_LOCKS = (Column("lock", 16), Column("held by", 12), Column("doing", 16), Column("since"))
_TIMERS = (Column("timer of", 16), Column("process"), Column("renews at"))
_KEYS = (Column("key in the keychain", 16), Column("key"), Column("age"), Column("state", colour=lambda _state: YELLOW))
_DIRECTORIES = (Column("directory", 20, keeps_end=True), Column("profile", 16))


class HeldProfile(Record):
    """A profile that we have credentials of. The credentials themselves are not in here."""

    profile: str
    account_id: str | None
    role: str | None
    role_arn: str | None
    region: str | None
    region_source: str | None
    stage: str | None
    policies: str | None  # those that narrow the session
    is_for_agents: bool
    state: str
    expiration: datetime | None
    refresh_at: datetime | None


class HeldSession(Record):
    """An MFA session."""

    mfa_serial: str
    expiration: datetime


class Status(Record):
    """All that `status` shows, at the time `now`. Each timer has the time of its next renewal, or None."""

    now: datetime
    profiles: tuple[HeldProfile, ...]
    mfa_sessions: tuple[HeldSession, ...]
    locks: tuple[HeldLock, ...]
    timers: tuple[tuple[RunningTimer, datetime | None], ...]
    directories: tuple[Directory, ...]
    keychain_keys: tuple[KeyRecord, ...] = ()


def look(environ: Mapping[str, str], now: datetime) -> Status:
    """Collect the status. A file that is not valid is left out; it is never an error."""
    paths = CachePaths.from_environ(environ)
    held = snapshots.stored(paths.snapshots)
    sessions = SessionStore(paths.sessions).labelled()
    roles = {s.access_key_id: label for key, label, s in sessions if key.startswith("role-")}
    looker = _Looker(environ, now, roles)
    timers = running.running_timers(paths)
    return Status(
        now=now,
        profiles=tuple(looker.profile(snapshot) for _, snapshot in sorted(held.items(), key=_by_name)),
        mfa_sessions=_mfa_sessions([(label, s) for key, label, s in sessions if key.startswith("mfa-")], now),
        locks=tuple(running.held_locks(paths)),
        timers=tuple((timer, _wakes_at(held.get(timer.key))) for timer in timers),
        directories=tuple(directories.known(paths)),
        keychain_keys=tuple(key_records.known(paths)),
    )


def document(status: Status) -> str:
    """Return the status as JSON."""
    import json  # noqa: PLC0415

    data = {
        "version": 1,
        "profiles": [_profile_entry(held, status.now) for held in status.profiles],
        "mfa_sessions": [
            {"mfa_serial": held.mfa_serial, **_time_entry(held.expiration, status.now)} for held in status.mfa_sessions
        ],
        "locks": [{"name": held.name, "pid": held.pid, "since": _utc(held.since)} for held in status.locks],
        "timers": [{"profile": t.profile, "pid": t.pid, "wakes_at": _utc(at)} for t, at in status.timers],
        "directories": [{"path": str(known.path), "profile": known.profile} for known in status.directories],
    }
    data["keychain_keys"] = [{**vars(key), "since": _utc(key.since)} for key in status.keychain_keys]
    return json.dumps(data, indent=2) + "\n"


def text(status: Status, home: str, canvas: Canvas) -> str:
    """Return the status as tables for people. Paths below `home` begin with `~`. Times are in the local time zone."""
    # First who is being asked, and where: others wait for that.
    tables = [
        table(_LOCKS, [_lock_row(held, status.now) for held in status.locks], canvas),
        table(_PROFILES, [_profile_row(held, home, status.now) for held in status.profiles], canvas),
        table(_SESSIONS, [(s.mfa_serial, _left(s.expiration, status.now)) for s in status.mfa_sessions], canvas),
        table(_TIMERS, [(t.profile, f"pid {t.pid}", _due(at, status.now)) for t, at in status.timers], canvas),
        table(_KEYS, [(k.profile, k.shown, k.age(status.now), k.state) for k in status.keychain_keys], canvas),
        table(
            _DIRECTORIES, [(with_tilde(str(known.path), home), known.profile) for known in status.directories], canvas
        ),
    ]
    return "\n".join(filter(None, tables)) or "no credentials are stored\n"


class _Looker:
    def __init__(self, environ: Mapping[str, str], now: datetime, roles: Mapping[str, str]) -> None:
        """Create it. `roles` maps the access key ids of sessions to the ARNs of their roles."""
        self._environ = environ
        self._now = now
        self._roles = roles
        self._readers: dict[tuple[str, str], ProfileReader] = {}

    def profile(self, held: Snapshot) -> HeldProfile:
        """Describe one snapshot. Snapshots may come from different pairs of AWS's files."""
        from awsdirenv.config.source_lines import ProfileReader  # noqa: PLC0415

        config, credentials = map(stamped_path, held.stamps)
        reader = self._readers.setdefault((config, credentials), ProfileReader(config, credentials))
        region, region_source = self._region(held, reader)
        end = held.credentials.expiration
        return HeldProfile(
            profile=held.profile,
            account_id=held.credentials.account_id,
            role=held.role,
            role_arn=self._roles.get(held.credentials.access_key_id) or _role_arn(held, reader),
            region=region,
            region_source=region_source,
            stage=held.stage,
            policies=held.policies,
            is_for_agents=any(word.startswith("agent=") for word in held.context.split()),
            state=self._state(held, config, credentials),
            expiration=end,
            refresh_at=refresh_at(held.credentials.issued, end) if end else None,
        )

    def _region(self, held: Snapshot, reader: ProfileReader) -> tuple[str | None, str | None]:
        """Return the region, and where it comes from: the environment's region, else the profile's own.

        It is the region of a directory whose line in `.envrc` has no --region.
        """
        region = environment_region(self._environ)
        if region:
            return region, region_variable(self._environ)
        if held.region is None:
            return None, None
        line = reader.value(held.profile, "region")
        return held.region, line.source if line and line.value == held.region else None

    def _state(self, held: Snapshot, config: str, credentials: str) -> str:
        if not held.credentials.is_usable(self._now):
            return EXPIRED
        if held.stamps != (file_stamp(config), file_stamp(credentials)):
            return OUTDATED
        return FRESH if held.credentials.is_fresh(self._now) else DUE


def _by_name(item: tuple[str, Snapshot]) -> tuple[str, str]:
    return item[1].profile, item[0]


def _role_arn(held: Snapshot, reader: ProfileReader) -> str | None:
    line = reader.value(held.profile, "role_arn")
    identity = (held.credentials.account_id, held.role)
    return line.value if line and (account_of(line.value), line.value.rpartition("/")[2]) == identity else None


def _mfa_sessions(sessions: list[tuple[str, SessionCredentials]], now: datetime) -> tuple[HeldSession, ...]:
    """Return the valid MFA sessions. For a device without one, return the session that ended last."""
    held: list[HeldSession] = []
    ended: dict[str, HeldSession] = {}
    for label, session in sessions:
        if session.expiration is None or _KEY_ID.fullmatch(label):
            continue
        shown = HeldSession(label, session.expiration)
        if session.is_usable(now):
            held.append(shown)
        elif label not in ended or ended[label].expiration < shown.expiration:
            ended[label] = shown
    held += [shown for label, shown in ended.items() if label not in {session.mfa_serial for session in held}]
    return tuple(sorted(held, key=lambda session: (session.mfa_serial, session.expiration)))


def _wakes_at(snapshot: Snapshot | None) -> datetime | None:
    end = snapshot.credentials.expiration if snapshot else None
    return refresh_at(snapshot.credentials.issued, end) if snapshot and end else None


def _profile_entry(held: HeldProfile, now: datetime) -> dict[str, object]:
    names = ("profile", "account_id", "role_arn", "region", "region_source", "stage", "state")
    limits = [name for name in ("policies", "is_for_agents") if getattr(held, name)]
    entry = {name: getattr(held, name) for name in (*names, *limits)}
    return {**entry, **_time_entry(held.expiration, now), "refresh_at": _utc(held.refresh_at)}


def _time_entry(expiration: datetime | None, now: datetime) -> dict[str, object]:
    left = max(0, int((expiration - now).total_seconds())) if expiration else None
    return {"expiration": _utc(expiration), "seconds_remaining": left}


def _utc(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None


def _profile_row(held: HeldProfile, home: str, now: datetime) -> Row:
    source = held.region_source and with_tilde(held.region_source, home)
    limits = [*(["for agents"] if held.is_for_agents else []), *([f"only {held.policies}"] if held.policies else [])]
    return (
        held.profile,
        held.account_id,
        held.role,
        held.region,
        source,
        held.stage,
        ", ".join(limits),
        _life(held, now),
    )


def _life(held: HeldProfile, now: datetime) -> str:
    """Return how long the credentials live, and their state if it is not `fresh`."""
    left = time_left(held.expiration, now) if held.expiration else "end not known"
    return {FRESH: left, DUE: f"{left}, {DUE}"}.get(held.state, held.state)


def _lock_row(held: HeldLock, now: datetime) -> Row:
    holder = held.holder
    place, doing = (holder.place, holder.doing) if holder else (f"pid {held.pid}", None)
    return held.name, place, doing, _clock(held.since, now)


def _left(expiration: datetime, now: datetime) -> str:
    return time_left(expiration, now) if expiration > now else "ended"


def _clock(moment: datetime | None, now: datetime) -> str | None:
    return clock_text(moment, now, seconds=True) if moment else None


def _due(moment: datetime | None, now: datetime) -> str | None:
    return "now" if moment and moment <= now else _clock(moment, now)
