"""Functions that the commands share which load credentials."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.cli.output import report_waiting, say
from awsdirenv.config.environment import environment_region
from awsdirenv.refresh import request as requests
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.request import Reporter, Request
from awsdirenv.session_credentials import time_left, utc_now
from awsdirenv.system.text import printable


def loading(request: Request) -> AbstractContextManager[Loader]:
    """Yield the loader of a request in our process's environment; see `refresh.request.loading`."""
    return requests.loading(request, os.environ, reporter())


def reporter() -> Reporter:
    """Return a reporter that tells the user on stderr what a load waits for, and other notices."""
    return Reporter(report_waiting, lambda notice: say(f"awsdirenv: {notice}"))


def region(snapshot: Snapshot) -> str | None:
    """Return the environment's region, else the profile's."""
    return environment_region(os.environ) or snapshot.region


def describe(snapshot: Snapshot, region: str | None) -> str:
    """Return account, role, region and time left of a snapshot, in the words of the extension's line on entering."""
    credentials = snapshot.credentials
    parts = [f"account {credentials.account_id or 'unknown'}"]
    if snapshot.role:
        parts.append(f"role {snapshot.role}")
    parts.append(region or "no region")
    if credentials.is_long_term:
        parts.append("long-term keys")
    if credentials.expiration:
        parts.append(f"{time_left(credentials.expiration, utc_now())} left")
    return f"{printable(snapshot.profile)}: {', '.join(parts)}"


def variables(snapshot: Snapshot, region: str | None) -> dict[str, str]:
    """Return the block of variables. Those without a value are left out. Times are RFC 3339 with an offset."""
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
