"""The report of `whoami`: what `.envrc` declares, what the environment has, and what STS answers, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from awsdirenv.aws.identity import EXPIRED, FAILED, KNOWN, NONE, OFFLINE, Caller
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths
from awsdirenv.config.chain import assumed_role, given_name
from awsdirenv.errors import AwsdirenvError
from awsdirenv.records import Record
from awsdirenv.reports import declared as places
from awsdirenv.reports.declared import Declared, Place
from awsdirenv.reports.table import GREEN, RED, Canvas, Column, Row, table
from awsdirenv.session_credentials import parse_time, time_left
from awsdirenv.system.direnv import exported
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
    EXPIRED: "the credentials are over",
    OFFLINE: "AWS cannot be asked; this is what can be seen without it",
    NONE: "there are no credentials here",
}


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
        declared = places.declared(place)
    except AwsdirenvError as error:
        declared, failure = Declared(place.mark or (place.said.profile if place.said else None)), error
    set_by_direnv, owners = exported(environ) if place.is_here else {}, _owners(paths)
    held = Held.of(environ, owners, set_by_direnv)
    return Look(place, declared, held, caller, owners, set_by_direnv, now, failure)


def named_profile(environ: Mapping[str, str]) -> str | None:
    """Return the profile that the environment names for SDKs."""
    return environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or None


def actual_role(arn: str | None) -> str | None:
    """Return the role of an ARN, by the name that the user knows."""
    role = assumed_role(arn)
    return role and given_name(role)


def document(seen: Look) -> str:
    """Return the report as JSON, version 1."""
    declared, held, caller = seen.declared, seen.held, seen.caller
    names = ("profile", "account_id", "role_arn", "region", "stage")
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
        "verdict": seen.verdict,
        "problems": [vars(problem) for problem in seen.problems],
    }
    return json.dumps(data, indent=2) + "\n"


def _owners(paths: CachePaths) -> dict[str, str]:
    """Return the profiles of all snapshots by their access key ids."""
    return {held.credentials.access_key_id: held.profile for held in snapshots.stored(paths.snapshots).values()}


def text(seen: Look, canvas: Canvas) -> str:
    """Return the report as text. Times are in the local time zone."""
    declared, caller = seen.declared, seen.caller
    lines = [table(_COLUMNS, [row for row in _rows(seen) if any(row[1:])], canvas)]
    long = (("declared role", declared.role_arn), ("actual identity", caller.arn), ("actual user id", caller.user_id))
    lines += [f"{name}: {printable(value)}\n" for name, value in long if value]
    lines.append(f"\nverdict: {seen.verdict}: {_verdict(seen)}\n")
    for problem in seen.problems:
        lines.append(f"- {problem.kind}: {printable(problem.message)}\n  hint: {printable(problem.hint)}\n")
    return "".join(lines).lstrip("\n")


def _verdict(seen: Look) -> str:
    if seen.verdict != OK:
        return _VERDICTS[seen.verdict]
    who = actual_role(seen.caller.arn) or (seen.caller.arn or "").rpartition("/")[2]
    return printable(f"you are {who} in account {seen.caller.account_id}")


def _rows(seen: Look) -> list[Row]:
    declared, held, caller = seen.declared, seen.held, seen.caller
    return [
        _compared("profile", declared.profile, held.profile, None),
        _compared("account", declared.account_id, held.account_id, caller.account_id),
        _compared("role", declared.role, None, actual_role(caller.arn)),
        _compared("region", declared.region, held.region, None),
        ("stage", declared.stage, None, None, None),
        _compared("access key", None, held.access_key_id, caller.access_key_id),
        ("until", None, _moment(held.expiration, seen.now), None, None),
    ]


def _compared(what: str, *values: str | None) -> Row:
    known = [value for value in values if value]
    same = None if len(known) < 2 else "yes" if len(set(known)) == 1 else "differs"
    return (what, *values, same)


def _moment(end: datetime | None, now: datetime) -> str | None:
    if end is None:
        return None
    return f"{clock_text(end, now)}, {f'{time_left(end, now)} left' if end > now else 'over'}"
