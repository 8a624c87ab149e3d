"""Loading credentials with the token of a sign-in, while other programs renew that token and write its file.

The AWS CLI and SDKs take no lock of ours. Many of them truncate the file and write it in place, and a refresh token
works for one program only (aws-cli issue 10628). So a file that cannot be read, or a token that was refused, may be one
of a moment ago: we look for a new one before we say that the sign-in has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from awsdirenv.aws import sso_token
from awsdirenv.cache.layout import CachePaths
from awsdirenv.cache.sessions import RefusedTokens
from awsdirenv.config.chain import Chain
from awsdirenv.errors import CacheError
from awsdirenv.records import Record
from awsdirenv.session_credentials import utc_now
from awsdirenv.system.files import home, read_bytes

WRITTEN_WITHIN = 1.0  # seconds from the answer to a program until it has written its file, on a busy machine
_POLL = 0.02  # seconds
_MOST_TRIES = 5
# What botocore raises if the service has refused a refresh token, which another program may have used a moment ago. By
# name: older versions lack some of them.
_REFRESH_REFUSED = {"LoginError", "LoginRefreshRequired", "TokenRetrievalError"}
_REFUSED = {*_REFRESH_REFUSED, "LoginTokenLoadError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"}
_LOGIN_TEXTS = ("clientId", "dpopKey", "refreshToken")
_LOGIN_KEYS = ("accessKeyId", "accountId", "expiresAt", "secretAccessKey", "sessionToken")

T = TypeVar("T")


class TokenFile(Record):
    """The file of a sign-in's token. `is_token` says whether a document of JSON is one, `is_sound` if it may work."""

    path: Path
    is_token: Callable[[Any], bool]
    is_sound: Callable[[Any], bool]
    refused: RefusedTokens

    def read(self) -> bytes:
        """Return the content; empty if there is none."""
        return read_bytes(self.path) or b""

    def has_token(self, content: bytes) -> bool:
        """Return whether this content is a whole token."""
        return self.is_token(_document(content))


def token_file(chain: Chain, login_session: object, environ: Mapping[str, str]) -> TokenFile:
    """Return the file of the sign-in that a chain starts from: of its sso_session, or of its `login_session`."""
    refused = RefusedTokens(CachePaths.from_environ(environ).marks)
    if chain.sso_session:
        session, path = chain.sso_session, sso_token.path(chain.sso_session, environ)
        return TokenFile(path, sso_token.is_token, lambda document: sso_token.is_sound(session, document), refused)
    folder = environ.get("AWS_LOGIN_CACHE_DIRECTORY")
    cache = Path(os.path.expanduser(os.path.expandvars(folder))) if folder else home(environ) / ".aws/login/cache"
    name = hashlib.sha256(str(login_session).encode()).hexdigest()
    return TokenFile(cache / f"{name}.json", _is_login_token, _is_login_token, refused)


def load(file: TokenFile, call: Callable[[], T], within: float) -> T:
    """Call, and call again with a token that another program writes within so many seconds.

    Raises what the last call has raised; for a file that is no token, SSOTokenLoadError.
    """
    import botocore.exceptions as bx  # noqa: PLC0415

    tries = 0
    while True:
        tries += 1
        before = file.read()
        try:
            return call()
        except bx.InvalidRegionError:  # a ValueError, but the token has no part in it
            raise
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError, bx.ParamValidationError) as error:
            # botocore does not check the file, which may have been half written when it read it.
            failure: Exception = error
            seconds, is_torn = 0.0, tries == 1 and file.has_token(before)
            if not file.is_sound(_document(before)):
                failure, seconds = bx.SSOTokenLoadError(error_msg="the token is none"), within
        except bx.BotoCoreError as error:
            if type(error).__name__ not in _REFUSED:
                raise
            failure, is_torn = error, False
            seconds = within if type(error).__name__ in _REFRESH_REFUSED else 0.0
        if tries == _MOST_TRIES or not (is_torn or _is_rewritten(file, before, seconds)):
            raise failure from None


def _is_rewritten(file: TokenFile, before: bytes, seconds: float) -> bool:
    """Return whether the file has another token than before, now or within so many seconds.

    We wait once for the same content: fifty shells that take turns would wait for minutes.
    """
    if seconds and file.refused.contains(before, utc_now()):
        seconds = 0
    deadline = time.monotonic() + seconds
    while (content := file.read()) == before or not file.has_token(content):
        if time.monotonic() >= deadline:
            if seconds:
                with contextlib.suppress(CacheError):
                    file.refused.remember(before, utc_now())
            return False
        time.sleep(_POLL)
    return True


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # the last one by a thousand brackets
        return None


def _is_login_token(document: Any) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("accessToken"), dict):
        return False
    token = document["accessToken"]
    return all(isinstance(document.get(name), str) for name in _LOGIN_TEXTS) and all(
        isinstance(token.get(name), str) for name in _LOGIN_KEYS
    )
