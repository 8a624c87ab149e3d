"""The report of `whoami`: what `.envrc` declares, what the environment has, and what STS answers, side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from awsdirenv.aws.identity import EXPIRED, FAILED, KNOWN, NONE, OFFLINE, Caller
from awsdirenv.cache import live_files, snapshots
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.cache.snapshots import Basis, Snapshot
from awsdirenv.config import envrc
from awsdirenv.config.aws_files import STAGE_KEY, AwsFiles, load_files, place_of, static_keys
from awsdirenv.config.chain import WEB_IDENTITY, Chain, account_of, assumed_role, given_name
from awsdirenv.config.environment import CLOSED_PROFILE, SessionOptions, agent_default
from awsdirenv.config.envrc import Declaration
from awsdirenv.config.session_options import resolve
from awsdirenv.config.settings import declared_profile, role_duration
from awsdirenv.errors import AwsdirenvError, SettingError, WrongIdentityError
from awsdirenv.records import Record, replace
from awsdirenv.refresh import pins
from awsdirenv.refresh.loader import LoadOptions
from awsdirenv.refresh.pins import Conditions
from awsdirenv.refresh.request import ProfileContext, Request, looking
from awsdirenv.reports.table import GREEN, RED, Canvas, Column, Row, table
from awsdirenv.session_credentials import SessionCredentials, parse_time, time_left
from awsdirenv.system.direnv import exported, loaded_directory, working_directory
from awsdirenv.system.text import clock_text, printable, utc_text

OK, MISMATCH = "ok", "mismatch"

_COLUMNS = (
    Column("what"),
    Column("declared"),
    Column("held"),
    Column("actual"),
    Column("same", colour=lambda word: GREEN if word == "yes" else RED),
)
_VERDICTS = {
    MISMATCH: "something is not as it should be here",
    EXPIRED: "the credentials have ended",
    OFFLINE: "AWS cannot be reached; this is what we know without it",
    NONE: "there are no credentials here",
}


class Declared(Record):
    """The declared identity. `role` is the role's name, `key` the access key id that the environment should have.

    `is_stored` says that credentials are stored for it which still hold, so that `awsdirenv login` changes nothing.
    `until` is the end of those. `mixed` names the variables that are not those of the access key beside them.
    `keys_place` is where the long-term keys stand that `--no-session` takes. `refusal` is the error of `--account` or
    `--role` if the profile leads elsewhere.
    """

    profile: str | None = None
    account_id: str | None = None
    role_arn: str | None = None
    region: str | None = None
    stage: str | None = None
    role: str | None = None
    key: str | None = None
    options: SessionOptions = SessionOptions()
    is_stored: bool = False
    until: datetime | None = None
    mixed: tuple[str, ...] = ()
    keys_place: str | None = None
    policies: str | None = None
    refusal: WrongIdentityError | None = None


class Place(Record):
    """The directory of a shell, and what the shell has loaded.

    `loaded` is the directory that the environment was loaded for, and `is_here` says whether that is this directory.
    `said` is the `use aws_profile` line of the `.envrc` here, or None if it cannot be read.
    """

    environ: Mapping[str, str]
    directory: Path
    loaded: Path | None
    is_here: bool
    said: Declaration | None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Place:
        """Look at the present directory and the environment. Raises DirectoryError."""
        directory = working_directory(environ)
        loaded, said = loaded_directory(environ), envrc.nearest(directory)
        is_here = loaded is not None and _is_within(directory, loaded)
        if is_here and loaded and said:
            # Another `.envrc` may be between this folder and the one that was loaded.
            is_here = not (_is_within(said.envrc.parent, loaded) and not _is_within(loaded, said.envrc.parent))
        return cls(environ, directory, loaded, is_here, said)

    @property
    def mark(self) -> str | None:
        """The profile that was loaded here, according to the environment, whether open or closed."""
        if self.loaded is not None and not self.is_here:
            return None
        # What direnv itself has set comes first: an `awsdirenv export other` typed here later declares nothing.
        was_set = exported(self.environ) if self.is_here else {}
        marks = (
            values.get(f"AWSDIRENV_{name}") for values in (was_set, self.environ) for name in ("PROFILE", "DECLARED")
        )
        return next((mark for mark in marks if mark), None)

    @property
    def gone(self) -> Path | None:
        """The `.envrc` that this directory was loaded from, if it is gone."""
        folder = self.environ.get("DIRENV_DIR", "").removeprefix("-")
        envrc_path = Path(self.environ.get("DIRENV_FILE") or f"{folder}/.envrc")
        return envrc_path if self.is_here and folder and not envrc_path.exists() else None

    def option(self, name: str) -> str | None:
        """Return the value of an option of the line, or None."""
        return self.said.options.get(name) if self.said else None


def resolve_declared(place: Place) -> Declared:
    """Resolve what is declared here, from the user's own files. Raises AwsdirenvError."""
    outer = dict(place.environ)
    live_files.leave(outer)
    name = _profile(place, outer)
    if name is None:
        return Declared(region=place.option("--region"), stage=place.option("--stage"))
    options = _options(place)
    context = looking(Request(name, options=LoadOptions(session=options)), outer)
    files = load_files(context.environ)
    chain = resolve(files, name, options, context.environ)
    snapshot = snapshots.read(context.paths.snapshots / snapshot_key(name, context.environ, options))
    holds = snapshot is not None and snapshot.holds(Basis.present(name, context.environ, options), context.now)
    return replace(
        _resolved(place, context, files, chain, snapshot),
        is_stored=holds,
        until=snapshot.credentials.expiration if snapshot else None,
        mixed=_mixed(outer, snapshot.credentials) if snapshot else (),
        refusal=_refusal(place, chain, snapshot if holds else None),
    )


def _refusal(place: Place, chain: Chain, snapshot: Snapshot | None) -> WrongIdentityError | None:
    """Return the error with which the pins of the line keep the directory closed. None: they do not, or not yet."""
    conditions = Conditions(place.option("--account"), place.option("--role"))
    try:
        pins.check_chain(conditions, chain)
        if snapshot:
            pins.check(conditions, snapshot)
    except WrongIdentityError as error:
        return error
    return None


def _mixed(environ: Mapping[str, str], stored: SessionCredentials) -> tuple[str, ...]:
    """Return the variables that are not those of the stored credentials, though the access key is."""
    if environ.get("AWS_ACCESS_KEY_ID") != stored.access_key_id:
        return ()
    own = {"AWS_SECRET_ACCESS_KEY": stored.secret_access_key, "AWS_SESSION_TOKEN": stored.session_token}
    return tuple(name for name, value in own.items() if (environ.get(name) or None) != value)


def _profile(place: Place, outer: Mapping[str, str]) -> str | None:
    line = place.said
    if place.mark and not (line and _is_edited(place, line)):
        return place.mark
    if line is None or line.profile is None:
        return None
    return line.profile or declared_profile(None, line.envrc.parent, outer).name


def _is_edited(place: Place, line: Declaration) -> bool:
    """Return whether the `.envrc` was changed after it was loaded, and names another profile now."""
    loaded_at, _, _ = place.environ.get("AWSDIRENV_LOADED", "").partition(" ")
    try:
        is_same = loaded_at == str(int(line.envrc.stat().st_mtime))
    except OSError:
        return False
    return not is_same and bool(loaded_at) and bool(line.profile) and line.profile != place.mark


def _resolved(
    place: Place, context: ProfileContext, files: AwsFiles, chain: Chain, snapshot: Snapshot | None
) -> Declared:
    own = files.profiles[chain.profile]
    role_arn = chain.hops[-1].role_arn if chain.hops else None
    if chain.source_kind == WEB_IDENTITY and not role_arn:
        role_arn = str(own.get("role_arn") or "") or None
    stored_account = snapshot.credentials.account_id if snapshot else None
    stored_key = snapshot.credentials.access_key_id if snapshot else None
    of_user = None if role_arn else str(own.get("sso_account_id") or "") or account_of(chain.mfa_serial)
    keys = static_keys(files, chain.source_profile) if place.option("--no-session") is not None else None
    set_here = exported(place.environ) if place.is_here else {}
    region = place.option("--region") or (context.region and context.region[0]) or chain.region
    stage = (place.environ.get("AWSDIRENV_STAGE") if place.is_here else None) or place.option("--stage")
    return Declared(
        profile=chain.profile,
        account_id=place.option("--account") or account_of(role_arn) or of_user or stored_account,
        role_arn=role_arn,
        region=set_here.get("AWS_REGION") or region,
        stage=stage or str(own.get(STAGE_KEY) or "") or None,
        role=chain.role or (role_arn and role_arn.rpartition("/")[2]),
        key=keys[0] if keys else stored_key,
        options=context.options,
        policies=chain.narrowing.label if chain.narrowing else None,
        keys_place=place_of(files, chain.source_profile, "aws_access_key_id") if keys else None,
    )


def _options(place: Place) -> SessionOptions:
    """Return what the line asks of the session. A value that the extension refuses is left out."""
    agent = agent_default(place.environ)
    if place.said is None:
        return SessionOptions(agent=agent)
    policy = place.option("--policy")
    try:
        duration = place.option("--duration")
        seconds = role_duration(duration) if duration else None
    except SettingError:
        seconds = None
    return SessionOptions(
        seconds,
        tuple((place.option("--policy-arn") or "").split()),
        os.path.join(place.said.envrc.parent, policy) if policy else None,
        place.option("--read-only") is not None,
        agent,
    )


def _is_within(folder: Path, top: Path) -> bool:
    return folder.resolve().is_relative_to(top.resolve())


class Problem(Record):
    """One problem, and what to do about it. `kind` never changes, so scripts can use it."""

    kind: str
    message: str
    hint: str


class Held(Record):
    """What the environment has. `profile` is AWS_PROFILE, or else the profile that we know the access key from."""

    profile: str | None
    access_key_id: str | None
    account_id: str | None
    region: str | None
    expiration: datetime | None

    @classmethod
    def of(cls, environ: Mapping[str, str], owners: Mapping[str, str], set_by_direnv: Mapping[str, str | None]) -> Held:
        """Look at the environment. `owners` maps access key ids to profiles, `set_by_direnv` is what direnv has set."""
        key = environ.get("AWS_ACCESS_KEY_ID") or None
        is_as_left = key is not None and key == set_by_direnv.get("AWS_ACCESS_KEY_ID")
        ours = owners.get(key or "") or (set_by_direnv.get("AWSDIRENV_PROFILE") if is_as_left else None)
        return cls(
            profile=named_profile(environ) or ours,
            access_key_id=key,
            account_id=environ.get("AWS_ACCOUNT_ID") or None,
            region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None,
            expiration=parse_time(environ.get("AWS_CREDENTIAL_EXPIRATION", "")),
        )


class Look(Record):
    """All that `whoami` looks at. `exported` has the variables that direnv has set, None for an unset one."""

    place: Place
    declared: Declared
    held: Held
    caller: Caller
    snapshots: Mapping[str, str]  # profiles by access key
    exported: Mapping[str, str | None]
    now: datetime
    failure: AwsdirenvError | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def verdict(self) -> str:
        """The result in one word: ok, mismatch, expired, offline, none."""
        outcome, over = self.caller.outcome, self.is_over
        if outcome == EXPIRED or (over and outcome != KNOWN):
            return EXPIRED
        access_key_id = self.caller.access_key_id or self.held.access_key_id
        if outcome == NONE or (outcome == FAILED and access_key_id is None):
            return NONE
        if any(problem.kind != OFFLINE for problem in self.problems):
            return MISMATCH
        return OFFLINE if outcome == OFFLINE else OK

    @property
    def is_over(self) -> bool:
        """Return whether the credentials have ended, according to the environment itself."""
        held = self.held
        return held.access_key_id is not None and held.expiration is not None and held.expiration <= self.now


def look(environ: Mapping[str, str], caller: Caller, now: datetime) -> Look:
    """Look at the directory and the environment. Raises DirectoryError. `with_problems` adds the problems later."""
    place, paths = Place.of(environ), CachePaths.from_environ(environ)
    declared, failure = Declared(), None
    try:
        declared = resolve_declared(place)
    except AwsdirenvError as error:
        declared, failure = Declared(place.mark or (place.said.profile if place.said else None)), error
    set_by_direnv, owners = exported(environ) if place.is_here else {}, _owners(paths)
    held = Held.of(environ, owners, set_by_direnv)
    return Look(place, declared, held, caller, owners, set_by_direnv, now, failure)


def named_profile(environ: Mapping[str, str]) -> str | None:
    """Return the profile that the environment names for SDKs. None also in a closed directory."""
    named = environ.get("AWS_PROFILE")
    return (None if named == CLOSED_PROFILE else named) or environ.get("AWS_DEFAULT_PROFILE") or None


def actual_role(arn: str | None) -> str | None:
    """Return the role of an ARN, by the name that the user knows."""
    role = assumed_role(arn)
    return role and given_name(role)


def document(state: Look) -> str:
    """Return the report as JSON, version 1."""
    declared, held, caller = state.declared, state.held, state.caller
    names = ["profile", "account_id", "role_arn", "region", "stage", *(["policies"] if declared.policies else [])]
    data = {
        "version": 1,
        "declared": {name: getattr(declared, name) for name in names},
        "held": {
            "profile": held.profile,
            "access_key_id": held.access_key_id,
            "account_id": held.account_id,
            "region": held.region,
            "expiration": held.expiration and utc_text(held.expiration),
        },
        "actual": {"arn": caller.arn, "account_id": caller.account_id, "user_id": caller.user_id},
        "verdict": state.verdict,
        "problems": [vars(problem) for problem in state.problems],
    }
    return json.dumps(data, indent=2) + "\n"


def _owners(paths: CachePaths) -> dict[str, str]:
    """Return the profiles of all snapshots by their access key ids."""
    return {held.credentials.access_key_id: held.profile for held in snapshots.stored(paths.snapshots).values()}


def text(state: Look, canvas: Canvas) -> str:
    """Return the report as text. Times are in the local time zone."""
    declared, caller = state.declared, state.caller
    lines = [table(_COLUMNS, [row for row in _rows(state) if any(row[1:])], canvas)]
    long = (("declared role", declared.role_arn), ("actual identity", caller.arn), ("actual user id", caller.user_id))
    lines += [f"{name}: {printable(value)}\n" for name, value in long if value]
    lines.append(f"\nverdict: {state.verdict}: {_verdict(state)}\n")
    for problem in state.problems:
        lines.append(f"- {problem.kind}: {printable(problem.message)}\n  hint: {printable(problem.hint)}\n")
    return "".join(lines).lstrip("\n")


def _verdict(state: Look) -> str:
    if state.verdict != OK:
        return _VERDICTS[state.verdict]
    who = actual_role(state.caller.arn) or (state.caller.arn or "").rpartition("/")[2]
    return printable(f"you are {who} in account {state.caller.account_id}")


def _rows(state: Look) -> list[Row]:
    declared, held, caller = state.declared, state.held, state.caller
    return [
        _compared("profile", declared.profile, held.profile, None),
        _compared("account", declared.account_id, held.account_id, caller.account_id),
        _compared("role", declared.role, None, actual_role(caller.arn)),
        _compared("region", declared.region, held.region, None),
        ("stage", declared.stage, None, None, None),
        ("only", declared.policies, None, None, None),
        _compared("access key", None, held.access_key_id, caller.access_key_id),
        ("until", None, _moment(held.expiration, state.now), None, None),
    ]


def _compared(what: str, *values: str | None) -> Row:
    known = [value for value in values if value]
    same = None if len(known) < 2 else "yes" if len(set(known)) == 1 else "differs"
    return (what, *values, same)


def _moment(end: datetime | None, now: datetime) -> str | None:
    if end is None:
        return None
    return f"{clock_text(end, now)}, {f'{time_left(end, now)} left' if end > now else 'ended'}"
