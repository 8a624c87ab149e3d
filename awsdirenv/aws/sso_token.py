"""The token of a sign-in to IAM Identity Center, in the file that the AWS CLI and every SDK share.

botocore reads and refreshes it. We write it after a sign-in, and read how long it lasts.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from awsdirenv.config.chain import SsoSession
from awsdirenv.errors import CacheError
from awsdirenv.records import Record
from awsdirenv.session_credentials import parse_time, utc_now
from awsdirenv.system.files import home, make_folder, read_bytes, replace_file
from awsdirenv.system.text import utc_text


class SsoToken(Record):
    """What a token file says about its token; not the token itself."""

    expiration: datetime
    can_refresh: bool  # without a person; so until the registration of the client has ended


def path(sso_session: SsoSession, environ: Mapping[str, str]) -> Path:
    """Return the file's path. It comes from the session's name, or from a legacy profile's start URL, as configured."""
    name = hashlib.sha1(str(sso_session).encode(), usedforsecurity=False).hexdigest()
    return folder(environ) / f"{name}.json"


def folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the token files, which the AWS CLI and every SDK share."""
    return home(environ) / ".aws" / "sso" / "cache"


def read(sso_session: SsoSession, environ: Mapping[str, str]) -> SsoToken | None:
    """Read what the file says about the token; None where it has none that botocore would use."""
    try:
        document = json.loads((read_bytes(path(sso_session, environ)) or b"").decode())
    except (ValueError, RecursionError):  # the last one by a thousand brackets
        return None
    return _parsed(sso_session, document)


def is_token(document: Any) -> bool:
    """Return whether a document of JSON is a token that botocore would use."""
    return _expiration(document) is not None


def is_sound(sso_session: SsoSession, document: Any) -> bool:
    """Return whether a document is a token that has not ended, or that can be refreshed without the user."""
    return _is_sound(_parsed(sso_session, document))


def has_sound_token(sso_session: SsoSession, environ: Mapping[str, str]) -> bool:
    """Return whether the file has a token that has not ended, or that can be refreshed without the user."""
    return _is_sound(read(sso_session, environ))


def _is_sound(token: SsoToken | None) -> bool:
    return token is not None and (token.can_refresh or token.expiration > utc_now())


def _expiration(document: Any) -> datetime | None:
    if not isinstance(document, dict) or not isinstance(document.get("accessToken"), str):
        return None
    return _moment(document.get("expiresAt"))


def _parsed(sso_session: SsoSession, document: Any) -> SsoToken | None:
    expiration = _expiration(document)
    if expiration is None:
        return None
    registered_until = _moment(document.get("registrationExpiresAt"))
    is_registered = registered_until is not None and registered_until > utc_now()
    has_all = all(isinstance(document.get(name), str) for name in ("refreshToken", "clientId", "clientSecret"))
    # botocore does not refresh the token of a legacy profile.
    return SsoToken(expiration, can_refresh=is_registered and has_all and sso_session.name is not None)


def prepare(sso_session: SsoSession, environ: Mapping[str, str]) -> None:
    """Make the folder, and check as far as possible that `write` will not fail. Raises CacheError."""
    target = path(sso_session, environ)
    try:
        make_folder(target.parent, 0o700)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _cannot_use(target, error) from None


def write(sso_session: SsoSession, token: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Replace the file with mode 0600. `token` has the AWS CLI's keys; datetimes become text. Raises CacheError."""
    target = path(sso_session, environ)
    document = {"startUrl": sso_session.start_url, "region": sso_session.region}
    for name, value in token.items():
        document[name] = utc_text(value) if isinstance(value, datetime) else value
    try:
        make_folder(target.parent, 0o700)
        replace_file(target, json.dumps(document).encode(), 0o600)
    except OSError as error:
        raise _cannot_use(target, error) from None


def _cannot_use(target: Path, error: OSError) -> CacheError:
    return CacheError(f"cannot use {target}: {error.strerror}", f"make {target.parent} writable")


def _moment(text: object) -> datetime | None:
    # Older versions of the AWS CLI wrote "UTC" for "Z".
    return parse_time(text.replace("UTC", "Z")) if isinstance(text, str) else None
