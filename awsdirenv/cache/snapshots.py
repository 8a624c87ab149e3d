"""The snapshot: what one profile stands for right now, written here and read by direnvrc.d.

Its lines are those of the table in `grammar`; all that follows from them (when to renew, when they count as ended) both
sides compute. A snapshot says which state of which files it was made from; a stamp that differs makes it worthless,
whatever its expiration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from awsdirenv.cache import grammar
from awsdirenv.config.aws_files import file_paths, section_header
from awsdirenv.config.environment import (
    SessionOptions,
    context_text,
    environment_region,
    has_same_variables,
    region_variable,
)
from awsdirenv.errors import BadAnswerError, CacheError, ConfigError, ProfileNameError
from awsdirenv.records import Record, replace
from awsdirenv.session_credentials import SessionCredentials, from_epoch, utc_now
from awsdirenv.system import clocks, files
from awsdirenv.system.files import decode_name, encode_name
from awsdirenv.system.stamps import file_stamp, stamped_path
from awsdirenv.system.text import unset_command

_YEAR = timedelta(days=365)
_LINES = {line.name: line for line in grammar.SNAPSHOT}
# Where they have what a snapshot cannot have, the credentials are as good without.
_DECORATION = ("AWS_ACCOUNT_ID", "AWSDIRENV_ROLE")


class Basis(Record):
    """What a snapshot is made from. With another one it is another snapshot, even if its file has the same name."""

    profile: str
    stamps: tuple[str, str]  # `file_stamp` of the config file and of the credentials file
    context: str  # `context_text`
    environ: Mapping[str, str]  # what `Snapshot.environment` is compared with

    @classmethod
    def present(cls, profile: str, environ: Mapping[str, str], options: SessionOptions) -> Basis:
        """Return what a snapshot would be made from now."""
        return cls(profile, present_stamps(environ), context_text(environ, options), environ)


class Snapshot(Record):
    """One profile's credentials with where they lead. `region` is the profile's own, before the environment's say."""

    profile: str
    credentials: SessionCredentials
    region: str | None
    role: str | None
    stamps: tuple[str, str]  # see `Basis`
    context: str = ""  # see `Basis`
    environment: str | None = None  # `variables_text` of the variables that the profile depends on, if any
    stage: str | None = None  # the profile's `awsdirenv_stage`
    policies: str | None = None  # for people: the session policies that narrow it
    policy_stamp: str = ""  # `file_stamp` of the file that one of them is from
    is_settled: bool = True  # False for one from a file whose times are those of a clock that was set back since

    def holds(self, basis: Basis, now: datetime) -> bool:
        """Return whether it was made from this basis, and can still be used."""
        made_from = (self.profile, self.stamps, self.context)
        same = made_from == (basis.profile, basis.stamps, basis.context)
        same = same and (not self.environment or has_same_variables(self.environment, basis.environ))
        same = same and (not self.policy_stamp or file_stamp(stamped_path(self.policy_stamp)) == self.policy_stamp)
        return same and self.is_settled and self.credentials.is_usable(now)


def present_stamps(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the stamps of the config file and of the credentials file as they are now."""
    config, credentials = file_paths(environ)
    return file_stamp(config), file_stamp(credentials)


def write(path: Path, snapshot: Snapshot) -> None:
    """Write the snapshot for the extension. Raises BadAnswerError and ConfigError for what it cannot have."""
    credentials = snapshot.credentials
    values = _values(snapshot, clocks.anchor())
    _check(snapshot, values, needs_token=True)
    # Not every file system has the times of a far end.
    wanted = int(min(credentials.expiration or credentials.issued, credentials.issued + _YEAR).timestamp())
    files.write_private(path, values, files.fresh_mtime(path, wanted))


def settle(path: Path) -> None:
    """Write a snapshot anew if our clock was set back since, so that all who read it compare the right times.

    The caller holds the snapshot's lock. Raises CacheError.
    """
    found = read(path)
    if found and not found.is_settled:
        write(path, found)


def text(snapshot: Snapshot) -> str:
    """Return the lines of a snapshot with long-term keys, which is for a pipe to the extension and never for a file."""
    values = _values(snapshot, None)
    _check(snapshot, values, needs_token=False)
    return files.private_text(values)


def _check(snapshot: Snapshot, values: dict[str, str], *, needs_token: bool) -> None:
    """Refuse what the readers would refuse. Raises BadAnswerError, ConfigError and CacheError."""
    check_region(snapshot.profile, snapshot.region)
    unfit = grammar.unfit(grammar.SNAPSHOT, list(values.values()))
    if unfit and len(values[unfit.name]) > unfit.longest:
        raise BadAnswerError(
            f"{unfit.name} of profile {snapshot.profile} is too long: {len(values[unfit.name])} characters",
            f"check its source: {unfit.longest} characters at most",
        )
    if unfit and unfit.form is grammar.Form.TEXT:
        raise CacheError(
            f"a value for {unfit.name} has a line break", "remove the line break from the path or name that has it"
        )
    if unfit or (needs_token and snapshot.credentials.is_long_term):
        raise BadAnswerError(
            f"the credentials of profile {snapshot.profile} have characters that credentials do not have",
            "check the file, the program or the server that gave them",
        )


def check_region(profile: str, region: str | None, where: Callable[[], str] | None = None) -> None:
    """Refuse what is no region, such as one with a comment behind it. Raises ConfigError.

    `where` finds the section and the line that say it.
    """
    if not _LINES["AWS_REGION"].takes(region or ""):
        raise ConfigError(
            f"profile {profile} has an invalid region: {region!r}",
            f"set region in {where() if where else section_header(profile)}",
        )


def check_region_of_environment(environ: Mapping[str, str]) -> None:
    """Refuse an invalid region of the environment. Raises ConfigError."""
    region = environment_region(environ)
    if not _LINES["AWS_REGION"].takes(region or ""):
        name = region_variable(environ)
        raise ConfigError(f"{name} is not a valid region: {region!r}", unset_command(name))


def tell_of_the_end(path: Path, present: Snapshot | None) -> None:
    """Have the other shells look, too, where a snapshot is over; a timer that is late then tells nobody again."""
    if present and not present.credentials.is_usable(utc_now()):
        files.outdate(path)


def read(path: Path) -> Snapshot | None:
    """Read a snapshot back, or None for one that is not there, or not exactly as we would write it."""
    values = files.read_private(path)
    if values is None or not grammar.fits(grammar.SNAPSHOT, list(values), list(values.values())):
        return None
    anchor, expiration = values["AWSDIRENV_CLOCK"] or None, values["AWSDIRENV_EXPIRATION"]
    try:
        found = Snapshot(
            profile=decode_name(values["AWSDIRENV_PROFILE"]),
            credentials=SessionCredentials(
                access_key_id=values["AWS_ACCESS_KEY_ID"],
                secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
                session_token=values["AWS_SESSION_TOKEN"],
                expiration=from_epoch(int(expiration)) if expiration else None,
                issued=from_epoch(int(values["AWSDIRENV_ISSUED"])),
                account_id=values["AWS_ACCOUNT_ID"] or None,
            ),
            region=values["AWS_REGION"] or None,
            role=values["AWSDIRENV_ROLE"] or None,
            stamps=(values["AWSDIRENV_CONFIG"], values["AWSDIRENV_CREDENTIALS"]),
            context=values["AWSDIRENV_CONTEXT"],
            environment=values["AWSDIRENV_ENVIRONMENT"] or None,
            stage=values["AWSDIRENV_STAGE"] or None,
            policies=values["AWSDIRENV_POLICIES"] or None,
            policy_stamp=values["AWSDIRENV_POLICY_FILE"],
        )
        is_exact = _values(found, anchor) == values
        set_since = clocks.set_since(anchor) if anchor else timedelta(0)
        settled = found.credentials.after_setting(set_since)
    except (ValueError, OverflowError, ProfileNameError):
        return None
    if not is_exact or found.credentials.is_long_term:
        return None
    return replace(found, credentials=settled, is_settled=set_since >= timedelta(0))


def stored(folder: Path) -> dict[str, Snapshot]:
    """Return all sound snapshots of the folder by their file names, in the order of the names."""
    try:
        names = sorted(path.name for path in folder.iterdir() if files.name_of(path) == path.name)
    except OSError:
        return {}
    found = {name: read(folder / name) for name in names}
    return {name: snapshot for name, snapshot in found.items() if snapshot}


def _values(snapshot: Snapshot, anchor: str | None) -> dict[str, str]:
    credentials = snapshot.credentials
    values = {
        "AWSDIRENV_PROFILE": encode_name(snapshot.profile),
        "AWSDIRENV_CONTEXT": snapshot.context,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_ACCOUNT_ID": credentials.account_id,
        "AWS_REGION": snapshot.region,
        "AWSDIRENV_ROLE": snapshot.role,
        "AWSDIRENV_STAGE": snapshot.stage,
        "AWSDIRENV_POLICIES": snapshot.policies,
        "AWSDIRENV_POLICY_FILE": snapshot.policy_stamp,
        "AWSDIRENV_ENVIRONMENT": snapshot.environment,
        "AWSDIRENV_ISSUED": _epoch(credentials.issued),
        "AWSDIRENV_EXPIRATION": credentials.expiration and _epoch(credentials.expiration),
        "AWSDIRENV_CLOCK": anchor if credentials.expiration else None,
        "AWSDIRENV_CONFIG": snapshot.stamps[0],
        "AWSDIRENV_CREDENTIALS": snapshot.stamps[1],
    }
    fitting = {name: _LINES[name].takes(values[name] or "") for name in _DECORATION}
    return {name: (value or "") if fitting.get(name, True) else "" for name, value in values.items()}


class NameNote(Record):
    """Which profile a `.env` declares, and in which state of the file and of the variables that it refers to."""

    profile: str
    stamp: str  # `file_stamp` of the `.env` from before it was read
    variables: str  # `variables_text`


def write_name(path: Path, note: NameNote) -> None:
    """Note for the extension which profile a `.env` declares. Raises ConfigError for what a note cannot have."""
    values = {"AWSDIRENV_PROFILE": note.profile, "AWSDIRENV_DOTENV": note.stamp, "AWSDIRENV_VARIABLES": note.variables}
    encode_name(note.profile)  # raises for what is none
    if grammar.unfit(grammar.NAME, list(values.values())):
        raise _too_long("AWS_PROFILE", note.stamp)
    if read_name(path) != note:
        files.write_private(path, values)


def read_name(path: Path) -> NameNote | None:
    """Read such a note back. Returns None for one that we would not have written."""
    values = files.read_private(path)
    if values is None or not grammar.fits(grammar.NAME, list(values), list(values.values())):
        return None
    note = NameNote(*values.values())
    try:
        encode_name(note.profile)
    except ProfileNameError:
        return None
    return note


class ModeNote(Record):
    """Which AWSDIRENV_MODE a `.env` declares: `live`, `keys` or nothing; the rest is as in `NameNote`."""

    mode: str
    stamp: str
    variables: str


def write_mode(path: Path, note: ModeNote) -> None:
    """Note for the extension which mode a `.env` declares. Raises ConfigError for what a note cannot have."""
    values = {"AWSDIRENV_MODE": note.mode, "AWSDIRENV_DOTENV": note.stamp, "AWSDIRENV_VARIABLES": note.variables}
    if grammar.unfit(grammar.MODE, list(values.values())):
        raise _too_long("AWSDIRENV_MODE", note.stamp)
    files.write_private(path, values)


def _too_long(name: str, stamp: str) -> ConfigError:
    path = stamped_path(stamp)
    return ConfigError(
        f"{name} in {path} refers to variables that are too long", f"write the value of {name} into {path}"
    )


def _epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))
