"""Frozen session credentials and the arithmetic of their expiration. All times are aware datetimes in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from awsdirenv.records import Record, replace

# What one line of our files and one environment variable can carry unquoted. AWS documents narrower sets; LocalStack
# and friends are wider, but nobody puts a space or a control character here.
KEY_ID_CHARACTERS, LONGEST_KEY_ID = "A-Za-z0-9_", 128
# Linux takes no environment variable above 128 KiB, and then starts no program at all.
SECRET_CHARACTERS, LONGEST_SECRET = "!-~", 16384

# How far clocks may differ without it being news: they are read one after the other, answers take time, and servers
# differ, too. It is less than the margin at the end of credentials.
CLOCK_TOLERANCE = timedelta(seconds=15)
# Credentials with less than this left are as good as expired: the command that gets them still has to use them.
EXPIRATION_MARGIN = timedelta(seconds=20)

# Some say "never" with the end of the calendar, where sums and local times fail.
FARTHEST = datetime(9000, 12, 31, tzinfo=timezone.utc)

_JUST_NOW = timedelta(minutes=1)
_LEAST_LEAD = timedelta(minutes=2)
_MOST_LEAD = timedelta(minutes=15)


class SessionCredentials(Record, hidden=("secret_access_key", "session_token")):
    """One indivisible set of credentials. Its repr shows no secret.

    `expiration` is None when the source does not say (a session token pasted into the credentials file). See `in_utc`.
    `issued` is when we received them, and all times are by our own clock: AWS's was ahead of it by `offset`. The clock
    was set forward by `set_forward` since they were stored, which says that they have ended earlier than they may have.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    expiration: datetime | None
    issued: datetime
    account_id: str | None = None
    arn: str | None = None
    offset: timedelta = timedelta(0)
    set_forward: timedelta = timedelta(0)

    @property
    def is_long_term(self) -> bool:
        """Whether these are an IAM user's own keys, which never expire and which we never write anywhere."""
        return not self.session_token

    def is_well_formed(self) -> bool:
        """Whether every value can stand on one line of a file and in an environment variable."""
        values = [self.secret_access_key, *([self.session_token] if self.session_token else [])]
        secret = f"[{SECRET_CHARACTERS}]{{1,{LONGEST_SECRET}}}"
        is_key_id = re.fullmatch(f"[{KEY_ID_CHARACTERS}]{{1,{LONGEST_KEY_ID}}}", self.access_key_id)
        return bool(is_key_id) and all(re.fullmatch(secret, value) for value in values)

    def is_usable(self, now: datetime) -> bool:
        """Whether a command started now can still use them."""
        if self.expiration is None:
            return True
        # Got in the future: the clock was set back since, and says nothing of their end.
        return self.issued <= now + CLOCK_TOLERANCE and now < self.expiration - self.margin

    def is_in_doubt(self, now: datetime) -> bool:
        """Whether they cannot be used as far as our clock tells, but it was set since, and AWS may still take them."""
        if self.is_usable(now):
            return False
        return self.issued > now + CLOCK_TOLERANCE or self.is_usable(now - self.set_forward)

    def moved(self, by: timedelta) -> SessionCredentials:
        """Give the same with times of a clock that is ahead by that much."""
        end = self.expiration and self.expiration + by
        return replace(self, issued=self.issued + by, expiration=end, offset=self.offset - by)

    def is_fresh(self, now: datetime) -> bool:
        """Whether there is no reason yet to renew them."""
        return self.is_usable(now) and (self.expiration is None or now < refresh_at(self.issued, self.expiration))

    def lasts(self, least: timedelta | None, now: datetime) -> bool:
        """Whether at least that much of their life is left, or new ones would not have it either."""
        if least is None or self.expiration is None or self.expiration - now >= least:
            return True
        # What was got a moment ago and is too short is as long as these get.
        return timedelta(0) <= now - self.issued < _JUST_NOW

    def after_setting(self, by: timedelta) -> SessionCredentials:
        """Give the same as they are once our clock was set forward by that much, or back.

        Set back, it would give them more time than they have. Set forward it may be right now: see `clock`.
        """
        return self.moved(by) if by < timedelta(0) else replace(self, set_forward=by)

    def shortfall(self, least: timedelta | None, now: datetime) -> str | None:
        """Say how much is left instead of what was wished for; None if it is enough."""
        if least is None or self.expiration is None or self.expiration - now >= least:
            return None
        return f"{time_left(self.expiration, now)} left instead of {duration_text(int(least.total_seconds()))}"

    @property
    def margin(self) -> timedelta:
        """How long before their end they count as ended."""
        return timedelta(0) if self.expiration is None else self.expiration - usable_until(self.issued, self.expiration)


def usable_until(issued: datetime, expiration: datetime) -> datetime:
    """Give the moment from which credentials count as ended.

    Generations of a minute exist in tests and in some credential_process helpers: never more than a tenth of the life
    before the end. direnvrc.d/snapshot.sh does the same arithmetic, in whole seconds.
    """
    return expiration - min(EXPIRATION_MARGIN, max((expiration - issued) / 10, timedelta(0)))


def refresh_at(issued: datetime, expiration: datetime) -> datetime:
    """Give the moment from which credentials are renewed ahead of their end.

    A quarter of the life before the end, at most 15 minutes, at least 2, and never before half the life.
    botocore's advisory window is a fixed 15 minutes, which for a 15-minute session means "always".
    direnvrc.d/snapshot.sh does the same arithmetic, in whole seconds.
    """
    life = max(expiration - issued, timedelta(0))
    lead = min(_MOST_LEAD, max(_LEAST_LEAD, life / 4))
    return max(expiration - lead, issued + life / 2)


def utc_now() -> datetime:
    """Give the present, aware and in UTC."""
    return datetime.now(timezone.utc)


def from_epoch(seconds: float) -> datetime:
    """Turn epoch seconds into an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def parse_time(text: str) -> datetime | None:
    """Read RFC 3339 with an offset (`Z` is one), as AWS's tools write it; None for anything else."""
    try:
        # Before Python 3.11 fromisoformat takes no Z.
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return in_utc(moment) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def in_utc(moment: datetime) -> datetime:
    """Turn an aware datetime into one in UTC, at most `FARTHEST`. Raises OverflowError for one before the year 1."""
    return FARTHEST if moment.year > FARTHEST.year else moment.astimezone(timezone.utc)


def time_left(expiration: datetime, now: datetime) -> str:
    """Say a remaining time as people do: `11h05m`, `59m`, `45s`."""
    seconds = max(0, int((expiration - now).total_seconds()))
    if seconds >= 60:
        seconds += 30  # to the nearest minute: what was just issued for an hour says an hour
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m" if minutes else f"{seconds}s"


def duration_text(seconds: int) -> str:
    """Say a duration exactly, as it can be written in a setting: `1h30m`, `15m`, `90s`."""
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
    parts = [f"{value}{unit}" for value, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if value]
    return "".join(parts) or "0s"
