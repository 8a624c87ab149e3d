"""Credentials as text for shells, files and programs. Pure: strings in, strings out."""

from __future__ import annotations

import json
from collections.abc import Mapping

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config import dotenv
from awsdirenv.config.environment import EXPORTED, STALE
from awsdirenv.system.text import fish_quote, powershell_quote, sh_quote, utc_text

FORMATS = ("env", "fish", "powershell", "json", "dotenv")


# A universal variable is the person's in every session and not ours to erase, but it must not go unnoticed.
_FISH_LEFTOVERS = """\
for name in {names}
    set -q $name; or continue
    echo "awsdirenv: warning: $name is still set" >&2
    echo "awsdirenv: hint: set -e $name" >&2
end"""


def variables(snapshot: Snapshot, region: str | None) -> dict[str, str]:
    """Give the block of variables, without those that have no value. Times are RFC 3339 with an offset."""
    credentials = snapshot.credentials
    expiration = credentials.expiration
    values = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_CREDENTIAL_EXPIRATION": expiration.replace(microsecond=0).isoformat() if expiration else None,
        "AWS_ACCOUNT_ID": credentials.account_id,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWSDIRENV_PROFILE": snapshot.profile,
    }
    return {name: value for name, value in values.items() if value}


def stale_names(values: Mapping[str, str]) -> frozenset[str]:
    """Give the names to take out: what outranks the block, and what the block has no value for."""
    return frozenset(STALE) | {name for name in EXPORTED if name not in values}


def render(form: str, snapshot: Snapshot, region: str | None) -> str:
    """Write the block for `form`, one of FORMATS. Raises SetupError for a value that the form cannot carry."""
    values = variables(snapshot, region)
    stale = sorted(stale_names(values))
    if form == "env":
        lines = [f"unset {' '.join(stale)}", *(f"export {k}={sh_quote(v)}" for k, v in values.items())]
    elif form == "fish":
        lines = [f"set -eg {name}" for name in stale]
        lines += [_FISH_LEFTOVERS.format(names=" ".join(stale))]
        lines += [f"set -gx {k} {fish_quote(v)}" for k, v in values.items()]
    elif form == "powershell":
        lines = [f"Remove-Item -ErrorAction Ignore Env:{name}" for name in stale]
        lines += [f"$Env:{name} = {powershell_quote(value)}" for name, value in values.items()]
    elif form == "json":
        lines = [json.dumps(_document(snapshot, region), indent=2)]
    else:
        lines = dotenv.lines(values)
    return "\n".join(lines) + "\n"


def _document(snapshot: Snapshot, region: str | None) -> dict[str, object]:
    credentials = snapshot.credentials
    expiration = credentials.expiration
    return {
        "version": 1,
        "profile": snapshot.profile,
        "account_id": credentials.account_id,
        "role": snapshot.role,
        "region": region,
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "session_token": credentials.session_token,
        "expiration": expiration and utc_text(expiration),
    }
