"""The token of a sign-in to IAM Identity Center, in the file that the AWS CLI and every SDK share.

botocore reads and refreshes it; we write it after a sign-in, and look how long it lasts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from awsdirenv.chain import SsoSession
from awsdirenv.errors import CacheError
from awsdirenv.files import replace_file
from awsdirenv.paths import home

_TIME = "%Y-%m-%dT%H:%M:%SZ"


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
        expiration = _moment(values["expiresAt"])
        values["accessToken"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    can_refresh = False
    with contextlib.suppress(ValueError, KeyError, TypeError):
        is_registered = _moment(values["registrationExpiresAt"]) > datetime.now(timezone.utc)
        # botocore refreshes nothing for a legacy profile.
        can_refresh = bool(is_registered and values["refreshToken"] and values["clientId"] and sso_session.name)
    return SsoToken(expiration, can_refresh)


def write(sso_session: SsoSession, token: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Replace the file, 0600. Datetimes become text. Raises CacheError."""
    target = path(sso_session, environ)
    document = {"startUrl": sso_session.start_url, "region": sso_session.region}
    for name, value in token.items():
        document[name] = value.astimezone(timezone.utc).strftime(_TIME) if isinstance(value, datetime) else value
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, json.dumps(document).encode(), 0o600)
    except OSError as error:
        raise CacheError(f"cannot use {target}: {error.strerror}", f"make {target.parent} writable") from None


def _moment(text: str) -> datetime:
    # Older AWS CLIs wrote "UTC" for "Z".
    moment = datetime.fromisoformat(text.replace("UTC", "Z").replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
