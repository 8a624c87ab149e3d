"""What `status` and `list` say, for people: tables, and for programs behind a pipe rows with tabs. Pure."""

from __future__ import annotations

from datetime import datetime

from awsdirenv.cache.running import HeldLock
from awsdirenv.credentials import time_left
from awsdirenv.reports.profiles import Listed
from awsdirenv.reports.status import DUE, EXPIRED, FRESH, OUTDATED, HeldProfile, Status
from awsdirenv.reports.table import RED, YELLOW, Canvas, Column, Row, tab_separated, table
from awsdirenv.system.text import clock_text, with_tilde

_STATES = {DUE: YELLOW, OUTDATED: YELLOW, EXPIRED: RED}


def stage_colour(stage: str) -> str:
    """Make the stage stand out that nobody wants to be in by mistake."""
    return RED if stage.lower().startswith("prod") else ""


_STAGE = Column("stage", 8, colour=stage_colour)
_PROFILES = (
    Column("profile", 14),
    Column("account"),
    Column("role", 10),
    Column("region"),
    Column("region from", 12, keeps_end=True, may_go=True),
    _STAGE,
    Column("time left", colour=lambda left: _STATES.get(left.rpartition(" ")[2], "")),
)
_SESSIONS = (Column("MFA session", 24, keeps_end=True), Column("time left"))
_LOCKS = (Column("lock", 16), Column("held by", 12), Column("doing", 16), Column("since"))
_TIMERS = (Column("timer of", 16), Column("process"), Column("renews at"))
_DIRECTORIES = (Column("directory", 20, keeps_end=True), Column("profile", 16))
_LISTED = (
    Column("profile", 16),
    Column("account"),
    Column("role", 10),
    Column("source", 8),
    _STAGE,
    Column("problem", 12, colour=lambda _problem: RED),
)


def status_text(seen: Status, home: str, canvas: Canvas) -> str:
    """Write it for a person; paths below `home` begin with `~`, times are of the machine's time zone."""
    tables = [
        table(_PROFILES, [_profile_row(held, home, seen.now) for held in seen.profiles], canvas),
        table(_SESSIONS, [(s.mfa_serial, _left(s.expiration, seen.now)) for s in seen.mfa_sessions], canvas),
        table(_LOCKS, [_lock_row(held, seen.now) for held in seen.locks], canvas),
        table(_TIMERS, [(t.profile, f"pid {t.pid}", _due(at, seen.now)) for t, at in seen.timers], canvas),
        table(_DIRECTORIES, [(with_tilde(str(one.path), home), one.profile) for one in seen.directories], canvas),
    ]
    return "\n".join(one for one in tables if one) or "no credentials are held\n"


def list_text(entries: list[Listed], canvas: Canvas) -> str:
    """Write it for a person."""
    return table(_LISTED, [_list_row(entry) for entry in entries], canvas)


def list_rows(entries: list[Listed]) -> str:
    """Write it for programs: a row for each profile, without a header; the columns are always the same."""
    return tab_separated([_list_row(entry) for entry in entries])


def _profile_row(held: HeldProfile, home: str, now: datetime) -> Row:
    source = held.region_source and with_tilde(held.region_source, home)
    return held.profile, held.account_id, held.role, held.region, source, held.stage, _life(held, now)


def _life(held: HeldProfile, now: datetime) -> str:
    """Say how long credentials last, and what there is to know about them besides."""
    left = time_left(held.expiration, now) if held.expiration else "no end known"
    return {FRESH: left, DUE: f"{left}, {DUE}"}.get(held.state, held.state)


def _lock_row(held: HeldLock, now: datetime) -> Row:
    holder = held.holder
    place, doing = (holder.place, holder.doing) if holder else (f"pid {held.pid}", None)
    return held.name, place, doing, _clock(held.since, now)


def _list_row(entry: Listed) -> Row:
    is_own = entry.source_profile in (None, entry.profile)
    source = entry.source_kind if is_own else f"{entry.source_kind} {entry.source_profile}"
    return entry.profile, entry.account_id, entry.role, source, entry.stage, entry.problem


def _left(expiration: datetime, now: datetime) -> str:
    return time_left(expiration, now) if expiration > now else "ended"


def _due(moment: datetime | None, now: datetime) -> str | None:
    return "now" if moment and moment <= now else _clock(moment, now)


def _clock(moment: datetime | None, now: datetime) -> str | None:
    return clock_text(moment, now, seconds=True) if moment else None
