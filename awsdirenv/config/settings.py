"""Our own settings (AWSDIRENV_*), and the profile that a directory declares.

A setting comes from the environment or from the `.env` next to an allowed `.envrc`. The environment wins, because an
`export` in `.envrc` is later and more deliberate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from awsdirenv.config import dotenv
from awsdirenv.errors import SettingError
from awsdirenv.records import Record
from awsdirenv.system.stamps import file_stamp
from awsdirenv.system.text import is_set

_DURATION = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s?)?", re.ASCII)
ROLE_DURATIONS = (900, 43200)  # seconds: the range of AssumeRole
_MFA_SESSION_RANGE = (timedelta(minutes=15), timedelta(hours=36))  # the range of GetSessionToken, for an IAM user


class Settings(Record):
    """The settings of awsdirenv. Durations are positive."""

    mfa_process: str | None = None
    mfa_session_duration: timedelta = timedelta(hours=12)
    prompt_timeout: timedelta = timedelta(seconds=60)
    lock_timeout: timedelta = timedelta(seconds=90)
    sts_timeout: timedelta = timedelta(seconds=20)
    keychain_timeout: timedelta = timedelta(seconds=50)  # less than a program has that runs `keys get`
    no_prompt: bool = False
    sso_login_auto: bool = False  # sign in when a directory is entered, with the browser

    @classmethod
    def load(cls, environ: Mapping[str, str], allowed: Path | None) -> Settings:
        """Read the settings. Raises SettingError, naming the variable.

        `allowed` is the directory whose `.envrc` the user has allowed, or None. A setting may be a command to run, so
        we do not trust the `.env` of a repository before that.
        """
        beside = allowed / ".env" if allowed else None
        merged = {**(dotenv.read(beside) if beside and beside.is_file() else {}), **environ}
        session = _duration_setting(merged, "AWSDIRENV_MFA_SESSION_DURATION", cls.mfa_session_duration)
        least, most = _MFA_SESSION_RANGE
        if not least <= session <= most:
            raise SettingError(
                f"AWSDIRENV_MFA_SESSION_DURATION is out of range: {merged['AWSDIRENV_MFA_SESSION_DURATION']!r}",
                "set it between 15m and 36h",
            )
        if merged.get("AWSDIRENV_SSO_LOGIN") not in (None, "", "auto", "ask"):
            raise SettingError(
                f"AWSDIRENV_SSO_LOGIN must be auto or ask: {merged['AWSDIRENV_SSO_LOGIN']!r}",
                "set it to auto, or to ask, which is the default",
            )
        return cls(
            sso_login_auto=merged.get("AWSDIRENV_SSO_LOGIN") == "auto",
            mfa_process=merged.get("AWSDIRENV_MFA_PROCESS") or None,
            no_prompt=is_set(merged.get("AWSDIRENV_NO_PROMPT")),
            mfa_session_duration=session,
            prompt_timeout=_duration_setting(merged, "AWSDIRENV_PROMPT_TIMEOUT", cls.prompt_timeout),
            sts_timeout=_duration_setting(merged, "AWSDIRENV_STS_TIMEOUT", cls.sts_timeout),
            keychain_timeout=_duration_setting(merged, "AWSDIRENV_KEYCHAIN_TIMEOUT", cls.keychain_timeout),
            lock_timeout=_duration_setting(merged, "AWSDIRENV_LOCK_TIMEOUT", cls.lock_timeout),
        )


class DeclaredProfile(Record):
    """The profile to use, the `.env` that was read to find it, if any, and the variables that decided, too."""

    name: str
    dotenv: Path | None
    variables: frozenset[str] = frozenset()
    stamp: str = ""  # `file_stamp` of the `.env` from before it was read


def declared_profile(argument: str | None, directory: Path, environ: Mapping[str, str]) -> DeclaredProfile:
    """Decide which profile to use: the argument, else the one in `.env`, else AWS_PROFILE, else `default`.

    Raises ConfigError if `.env` cannot be read.
    """
    if argument is not None:
        return DeclaredProfile(argument, None)
    file = dotenv.nearest(directory)
    stamp = file_stamp(str(file)) if file else ""
    named, variables = dotenv.read_profile(file) if file else (None, frozenset())
    return DeclaredProfile(named or environ.get("AWS_PROFILE") or "default", file, variables | {"AWS_PROFILE"}, stamp)


def role_duration(text: str) -> int:
    """Read a `--duration`, and return its seconds. Raises SettingError with the range."""
    duration = parse_duration(text)
    least, most = ROLE_DURATIONS
    if duration is None or not least <= duration.total_seconds() <= most:
        raise SettingError(f"--duration must be a time between 15m and 12h: {text!r}", "such as 3600, 15m, 2h or 1h30m")
    return int(duration.total_seconds())


def least_life(text: str) -> timedelta:
    """Read a `--min-life`: how long credentials must still be valid. Raises SettingError with the range."""
    duration = parse_duration(text)
    if not duration or duration > timedelta(seconds=ROLE_DURATIONS[1]):
        raise SettingError(f"--min-life must be a time up to 12h: {text!r}", "such as 3600, 15m, 2h or 1h30m")
    return duration


def parse_duration(text: str) -> timedelta | None:
    """Read `3600`, `15m`, `2h` or `1h30m`. None for any other text, also for an empty one."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _duration_setting(values: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = values.get(name, "")
    if not text:
        return default
    duration = parse_duration(text)
    if not duration:
        raise SettingError(f"{name} is not a duration: {text!r}", f"set {name} to something like 12h, 90m or 3600")
    return duration
