"""All profiles of AWS's files, each with its account and role: the output of `awsdirenv list`. Works offline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths
from awsdirenv.config.aws_files import STAGE_KEY, AwsFiles, load_files
from awsdirenv.config.chain import Chain, account_of
from awsdirenv.config.environment import SessionOptions
from awsdirenv.config.resolve import source_kind
from awsdirenv.config.session_options import resolve
from awsdirenv.errors import AwsdirenvError
from awsdirenv.records import Record
from awsdirenv.refresh.preflight import Preflight
from awsdirenv.reports.table import RED, STAGE, Canvas, Column, Row, tab_separated, table
from awsdirenv.system.files import encode_name

_COLUMNS = (
    Column("profile", 16),
    Column("account"),
    Column("role", 10),
    Column("source", 8),
    STAGE,
    Column("problem", 12, colour=lambda _problem: RED),
)


class Listed(Record):
    """One profile. `problem` is the error that a load would end with; then the other fields may be incomplete."""

    profile: str
    account_id: str | None
    role_arn: str | None
    role: str | None
    source_kind: str | None
    source_profile: str | None
    stage: str | None
    problem: str | None


def listed(environ: Mapping[str, str]) -> list[Listed]:
    """List every profile in the order of the files. Raises ConfigError if a file cannot be parsed."""
    files = load_files(environ)
    known = _known_accounts(environ)
    preflight = Preflight(files, environ)
    names = dict.fromkeys([*files.config_profiles, *files.credentials_sections])
    return [_entry(files, name, environ, known, preflight) for name in names]


def document(entries: list[Listed]) -> str:
    """Return the list as JSON."""
    return json.dumps({"version": 1, "profiles": [vars(entry) for entry in entries]}, indent=2) + "\n"


def text(entries: list[Listed], canvas: Canvas) -> str:
    """Return the list as a table for people."""
    return table(_COLUMNS, [_row(entry) for entry in entries], canvas)


def rows(entries: list[Listed]) -> str:
    """Return the list for programs: one row for each profile, without a header, always with the same columns."""
    return tab_separated([_row(entry) for entry in entries])


def _entry(
    files: AwsFiles,
    name: str,
    environ: Mapping[str, str],
    known: Mapping[str, str],
    preflight: Preflight,
) -> Listed:
    values = _said(files, name)
    role_arn = values.get("role_arn")
    chain, problem = _resolved(files, name, environ, preflight)
    account_id = account_of(role_arn) or values.get("sso_account_id") or account_of(values.get("login_session"))
    account_id = account_id or known.get(name) or (account_of(chain.mfa_serial) if chain and not chain.hops else None)
    kind = chain.source_kind if chain else None if role_arn else source_kind(files, name)
    return Listed(
        profile=name,
        account_id=account_id,
        role_arn=role_arn,
        role=role_arn.rpartition("/")[2] if role_arn else values.get("sso_role_name"),
        source_kind=kind,
        source_profile=(chain.source_profile if not chain.is_named_source else None) if chain else None,
        stage=values.get(STAGE_KEY),
        problem=problem,
    )


def _said(files: AwsFiles, name: str) -> dict[str, str]:
    """Return a profile's values. Those of several lines are left out, because a further line may be a secret."""
    values: Mapping[str, Any] = files.profiles[name]
    return {key: value for key, value in values.items() if isinstance(value, str) and value and "\n" not in value}


def _resolved(
    files: AwsFiles, name: str, environ: Mapping[str, str], preflight: Preflight
) -> tuple[Chain | None, str | None]:
    """Return a profile's chain, if it has one, and the problem that `awsdirenv explain` would show."""
    chain = None
    try:
        encode_name(name)
        chain = resolve(files, name, SessionOptions(), environ)
        preflight.check(chain)
    except AwsdirenvError as error:
        return chain, _in_short(error, name)
    return chain, None


def _in_short(error: AwsdirenvError, name: str) -> str:
    """Return the message without the profile's name, with which the line begins anyway."""
    for start in (f"profile {name}: ", f"profile {name} "):
        if error.message.startswith(start):
            return error.message.removeprefix(start)
    return error.message


def _known_accounts(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the account ids by profile, from the snapshots that were made from AWS's files in their present state."""
    stamps = snapshots.present_stamps(environ)
    held = snapshots.stored(CachePaths.from_environ(environ).snapshots).values()
    return {s.profile: s.credentials.account_id for s in held if s.stamps == stamps and s.credentials.account_id}


def _row(entry: Listed) -> Row:
    is_own = entry.source_profile in (None, entry.profile)
    source = entry.source_kind if is_own else f"{entry.source_kind} {entry.source_profile}"
    return entry.profile, entry.account_id, entry.role, source, entry.stage, entry.problem
