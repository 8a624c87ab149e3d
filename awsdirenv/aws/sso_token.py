"""The token of a sign-in to IAM Identity Center, in the file that the AWS CLI and every SDK share.

botocore reads and refreshes it; we write it after a sign-in, and look how long it lasts.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from awsdirenv.config.chain import SsoSession
from awsdirenv.credentials import parse_time, utc_now
from awsdirenv.errors import CacheError
from awsdirenv.system.files import replace_file
from awsdirenv.system.paths import home
from awsdirenv.system.text import utc_text


@dataclass(frozen=True)
class SsoToken:
    """What a token file says of itself, but for the token."""

    expiration: datetime
    can_refresh: bool  # without a person, until the registration is over


def path(sso_session: SsoSession, environ: Mapping[str, str]) -> Path:
    """Give the file: named by the session, or by the start URL of a legacy profile, exactly as configured."""
    name = hashlib.sha1(str(sso_session).encode(), usedforsecurity=False).hexdigest()
    return home(environ) / ".aws" / "sso" / "cache" / f"{name}.json"


def read(sso_session: SsoSession, environ: Mapping[str, str]) -> SsoToken | None:
    """Give what is known of the token, or None where there is none that botocore would take."""
    try:
        values = json.loads(path(sso_session, environ).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("accessToken"), str):
        return None
    expiration = _moment(values.get("expiresAt"))
    if expiration is None:
        return None
    registered_until = _moment(values.get("registrationExpiresAt"))
    is_registered = registered_until is not None and registered_until > utc_now()
    has_all = all(isinstance(values.get(name), str) for name in ("refreshToken", "clientId", "clientSecret"))
    # botocore refreshes nothing for a legacy profile.
    return SsoToken(expiration, can_refresh=is_registered and has_all and sso_session.name is not None)


def is_sound(sso_session: SsoSession, environ: Mapping[str, str]) -> bool:
    """Tell whether there is a token, as far as the file says, that holds or can be refreshed."""
    found = read(sso_session, environ)
    return found is not None and (found.can_refresh or found.expiration > utc_now())


def prepare(sso_session: SsoSession, environ: Mapping[str, str]) -> None:
    """Make sure, as far as that can be known, that `write` will not fail. Raises CacheError."""
    target = path(sso_session, environ)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _cannot_use(target, error) from None


def write(sso_session: SsoSession, token: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Replace the file, 0600. Datetimes become text. Raises CacheError."""
    target = path(sso_session, environ)
    document = {"startUrl": sso_session.start_url, "region": sso_session.region}
    for name, value in token.items():
        document[name] = utc_text(value) if isinstance(value, datetime) else value
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, json.dumps(document).encode(), 0o600)
    except OSError as error:
        raise _cannot_use(target, error) from None


def _cannot_use(target: Path, error: OSError) -> CacheError:
    return CacheError(f"cannot use {target}: {error.strerror}", f"make {target.parent} writable")


def _moment(text: object) -> datetime | None:
    # Older AWS CLIs wrote "UTC" for "Z".
    return parse_time(text.replace("UTC", "Z")) if isinstance(text, str) else None
