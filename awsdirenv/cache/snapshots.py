"""The snapshot: what one profile stands for right now, written here and read by direnvrc.d.

The extension takes only the names below, checks each value against a pattern and exports all or nothing. A snapshot
says which state of which files it was made from; a stamp that differs makes it worthless, whatever its expiration.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path

from awsdirenv.errors import BadAnswerError, ConfigError, ProfileNameError
from awsdirenv.records import Record, replace
from awsdirenv.session_credentials import SessionCredentials, from_epoch, refresh_at, utc_now
from awsdirenv.system import clocks, files
from awsdirenv.system.paths import decode_name, encode_name

# What the extension takes for them; it refuses a snapshot with anything else in it.
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ROLE = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_ACCOUNT = re.compile(r"[0-9]{1,20}")


class Snapshot(Record):
    """One profile's credentials with where they lead. `region` is the profile's own, before the environment's say.

    `stamps` are `file_stamp` lines of the config file and of the credentials file.
    """

    profile: str
    credentials: SessionCredentials
    region: str | None
    role: str | None
    stamps: tuple[str, str]
    environment: str | None = None  # `environment_mark`, where the profile takes its credentials from there
    stage: str | None = None  # the profile's `awsdirenv_stage`
    is_settled: bool = True  # False for one from a file whose times are those of a clock that was set back since

    def holds(self, stamps: tuple[str, str], profile: str, environment: str, now: datetime) -> bool:
        """Whether it was made from these files, for this profile, in this environment, and can still be used."""
        same = self.stamps == stamps and self.profile == profile and self.environment in (None, environment)
        return same and self.is_settled and self.credentials.is_usable(now)


def file_stamp(path: str) -> str:
    """Identify one state of a file by device, inode, size and change time, as `stat` prints it for the extension.

    Modification times do not tell: home-manager gives every generation the same one, and a restored backup an older.
    """
    try:
        info = os.stat(path)
    except OSError:
        return f"absent {path}"
    seconds, nanoseconds = divmod(info.st_ctime_ns, 10**9)
    return f"{info.st_dev}:{info.st_ino}:{info.st_size}:{seconds}.{nanoseconds:09d} {path}"


def write(path: Path, snapshot: Snapshot) -> None:
    """Write the snapshot for the extension. Raises BadAnswerError for values no environment variable should carry."""
    credentials = snapshot.credentials
    _check(snapshot, needs_token=True)
    wanted = int((credentials.expiration or credentials.issued).timestamp())
    files.write_private(path, _values(snapshot, clocks.anchor()), files.fresh_mtime(path, wanted))


def settle(path: Path) -> None:
    """Write a snapshot anew if our clock was set back since, so that all who read it compare the right times.

    The caller holds the snapshot's lock. Raises CacheError.
    """
    found = read(path)
    if found and not found.is_settled:
        write(path, found)


def text(snapshot: Snapshot) -> str:
    """Give the lines of a snapshot that is for a pipe to the extension and no file: one with long-term keys."""
    _check(snapshot, needs_token=False)
    return files.private_text(_values(snapshot, None))


def _check(snapshot: Snapshot, *, needs_token: bool) -> None:
    """Refuse what no environment variable should carry. Raises BadAnswerError and ConfigError."""
    if not snapshot.credentials.is_well_formed() or (needs_token and snapshot.credentials.is_long_term):
        raise BadAnswerError(
            f"the credentials of profile {snapshot.profile} have characters that credentials do not have",
            "check the program or the server that gave them",
        )
    check_region(snapshot.profile, snapshot.region)


def check_region(profile: str, region: str | None) -> None:
    """Refuse what is no region, such as one with a comment behind it. Raises ConfigError."""
    if region and not _REGION.fullmatch(region):
        raise ConfigError(
            f"profile {profile} has a region that cannot be one: {region!r}", f"set region in [profile {profile}]"
        )


def tell_of_the_end(path: Path, present: Snapshot | None) -> None:
    """Have the other shells look, too, where a snapshot is over; a timer that is late then tells nobody again."""
    if present and not present.credentials.is_usable(utc_now()):
        files.outdate(path)


def read(path: Path) -> Snapshot | None:
    """Read a snapshot back, or None for one that is not there, or not exactly as we would write it."""
    values = files.read_private(path)
    if values is None:
        return None
    try:
        expiration, anchor = values.get("AWSDIRENV_EXPIRATION"), values.get("AWSDIRENV_CLOCK")
        set_since = clocks.set_since(anchor) if anchor else timedelta(0)
        found = Snapshot(
            profile=decode_name(values["AWSDIRENV_PROFILE"]),
            credentials=SessionCredentials(
                access_key_id=values["AWS_ACCESS_KEY_ID"],
                secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
                session_token=values["AWS_SESSION_TOKEN"],
                expiration=from_epoch(int(expiration)) if expiration else None,
                issued=from_epoch(int(values["AWSDIRENV_ISSUED"])),
                account_id=values.get("AWS_ACCOUNT_ID"),
            ),
            region=values.get("AWS_REGION"),
            role=values.get("AWSDIRENV_ROLE"),
            stamps=(values["AWSDIRENV_CONFIG"], values["AWSDIRENV_CREDENTIALS"]),
            environment=values.get("AWSDIRENV_ENVIRONMENT"),
            stage=decode_name(values["AWSDIRENV_STAGE"]) if "AWSDIRENV_STAGE" in values else None,
        )
        # The extension is strict. What it refuses and we would take for fresh, nobody would ever write anew.
        exact = found.credentials.is_well_formed() and _values(found, anchor) == values
    except (KeyError, ValueError, OverflowError, ProfileNameError):
        return None
    if not exact or (found.region and not _REGION.fullmatch(found.region)):
        return None
    credentials = found.credentials.after_setting(set_since)
    return replace(found, credentials=credentials, is_settled=set_since >= timedelta(0))


def stored(folder: Path) -> dict[str, Snapshot]:
    """Give all snapshots of the folder that we would believe, by the names of their files, in the order of those."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix != ".new")  # which may be half of one
    except OSError:
        return {}
    found = {name: read(folder / name) for name in names}
    return {name: snapshot for name, snapshot in found.items() if snapshot}


def _values(snapshot: Snapshot, anchor: str | None) -> dict[str, str]:
    credentials = _whole_seconds(snapshot.credentials)
    values = {
        "AWSDIRENV_PROFILE": encode_name(snapshot.profile),
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token or "",
        "AWS_ACCOUNT_ID": _if_matches(_ACCOUNT, credentials.account_id),
        "AWS_REGION": snapshot.region,
        "AWSDIRENV_ROLE": _if_matches(_ROLE, snapshot.role),
        "AWSDIRENV_STAGE": encode_name(snapshot.stage) if snapshot.stage else None,
        "AWSDIRENV_ENVIRONMENT": snapshot.environment,
        "AWSDIRENV_ISSUED": _epoch(credentials.issued),
    }
    if credentials.expiration is not None:
        values["AWS_CREDENTIAL_EXPIRATION"] = credentials.expiration.isoformat()
        values["AWSDIRENV_EXPIRATION"] = _epoch(credentials.expiration)
        values["AWSDIRENV_USABLE_UNTIL"] = _epoch(credentials.expiration - credentials.margin)
        values["AWSDIRENV_REFRESH_AT"] = _epoch(refresh_at(credentials.issued, credentials.expiration))
        values["AWSDIRENV_CLOCK"] = anchor
    values["AWSDIRENV_CONFIG"], values["AWSDIRENV_CREDENTIALS"] = snapshot.stamps
    return {name: value for name, value in values.items() if value}


def _whole_seconds(credentials: SessionCredentials) -> SessionCredentials:
    """Give times as the file has them, so that what follows from them is the same before and after."""
    return replace(
        credentials,
        issued=from_epoch(int(credentials.issued.timestamp())),
        expiration=credentials.expiration and from_epoch(int(credentials.expiration.timestamp())),
    )


def write_name(path: Path, profile: str, dotenv: Path) -> None:
    """Note for the extension which profile a `.env` declares, and in which state it did."""
    values = {"AWSDIRENV_PROFILE": encode_name(profile), "AWSDIRENV_DOTENV": file_stamp(str(dotenv))}
    if files.read_private(path) != values:
        files.write_private(path, values)


def _if_matches(pattern: re.Pattern[str], text: str | None) -> str | None:
    return text if text and pattern.fullmatch(text) else None


def _epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))
