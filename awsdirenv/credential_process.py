"""The protocol of credential_process, both ways: running such a program, and being one.

The format is Version 1 of AWS's "Sourcing credentials with an external process". A program that we run is told in its
environment for which profiles we are at it, so that one that comes back to us for the same is noticed at once.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any

from awsdirenv import program
from awsdirenv.errors import CredentialProcessError
from awsdirenv.paths import home
from awsdirenv.session_credentials import SessionCredentials, utc_now

TIMEOUT = 60  # seconds
RUNNING_FOR = "AWSDIRENV_RUNNING_FOR"  # profiles, one a line
_COMMAND = "credential-process"
# What is as long as a key may be one.
_LIKE_A_KEY = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_LONGEST_COMPLAINT = 200


def credentials(command: str, profile: str, environ: Mapping[str, str]) -> SessionCredentials:
    """Run a profile's credential_process and give its credentials. Raises CredentialProcessError."""
    arguments = _arguments(command, profile, environ)
    beneath = "\n".join([*filter(None, environ.get(RUNNING_FOR, "").split("\n")), profile])
    try:
        done = program.run(arguments, TIMEOUT, catch_errors=True, environ={**environ, RUNNING_FOR: beneath})
    except OSError as error:
        raise _error(profile, f"cannot start: {error.strerror or type(error).__name__}") from None
    except ValueError:  # a NUL byte
        raise _error(profile, "cannot start") from None
    except program.StillRunningError:
        raise _error(profile, f"gave nothing within {TIMEOUT}s") from None
    if done.status != 0:
        complaint = _last_words(done.complaint)
        raise _error(profile, f"failed with status {done.status}{': ' if complaint else ''}{complaint}")
    return _parsed(done.output, profile)


def render(found: SessionCredentials) -> str:
    """Write credentials as a program prints them. An end that nobody knows is left out, as the format demands."""
    document = {
        "Version": 1,
        "AccessKeyId": found.access_key_id,
        "SecretAccessKey": found.secret_access_key,
        "SessionToken": found.session_token,
        "Expiration": found.expiration and found.expiration.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "AccountId": found.account_id,
    }
    return json.dumps({name: value for name, value in document.items() if value is not None}) + "\n"


def is_ours(command: str, profile: str) -> bool:
    """Tell whether a credential_process is us, for that very profile: it would wait for itself."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    if _COMMAND not in words:
        return False
    before, after = words[: words.index(_COMMAND)], words[words.index(_COMMAND) + 1 :]
    is_us = any(PurePath(word).name in ("awsdirenv", "awsdirenv.exe") for word in before)
    return is_us and profile in after


def is_running_for(profile: str, environ: Mapping[str, str]) -> bool:
    """Tell whether we were started, however indirectly, by a credential_process of that very profile."""
    return profile in environ.get(RUNNING_FOR, "").split("\n")


def _arguments(command: str, profile: str, environ: Mapping[str, str]) -> list[str]:
    """Split a command line as botocore does, without a shell; a leading ~ is the home folder in every word."""
    try:
        words = shlex.split(command)
    except ValueError:
        raise _error(profile, "has a quote that is not closed") from None
    if not words:
        raise _error(profile, "is empty")
    return [str(home(environ)) + word[1:] if word == "~" or word.startswith("~/") else word for word in words]


def _parsed(output: bytes, profile: str) -> SessionCredentials:
    try:
        document: Any = json.loads(output)
    except ValueError:  # UnicodeDecodeError is one
        raise _error(profile, "did not print JSON") from None
    if not isinstance(document, dict):
        raise _error(profile, "did not print a JSON object")
    if document.get("Version") != 1 or isinstance(document["Version"], bool):
        raise _error(profile, "did not print Version 1")
    for name in ("AccessKeyId", "SecretAccessKey"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise _error(profile, f"printed no {name}")
    token, expiration = document.get("SessionToken"), document.get("Expiration")
    if token is not None and not isinstance(token, str):
        raise _error(profile, "printed a SessionToken that is no text")
    found = SessionCredentials(
        access_key_id=document["AccessKeyId"],
        secret_access_key=document["SecretAccessKey"],
        session_token=token or None,
        expiration=_moment(expiration, profile) if expiration is not None else None,
        issued=utc_now(),
        account_id=str(document["AccountId"]) if document.get("AccountId") else None,
    )
    if not found.is_usable(utc_now()):
        raise _error(profile, "gave credentials that have expired already")
    return found


def _moment(text: object, profile: str) -> datetime:
    """Read an Expiration: ISO 8601 with an offset, and whatever else botocore's parser takes."""
    from dateutil.parser import parse  # noqa: PLC0415 - botocore's own

    try:
        moment = parse(text if isinstance(text, str) else "")
    except (ValueError, OverflowError):
        raise _error(profile, "printed an Expiration that is no time") from None
    if moment.tzinfo is None:
        raise _error(profile, "printed an Expiration without an offset")
    return moment.astimezone(timezone.utc)


def _last_words(complaint: bytes) -> str:
    """Give the last line of what a program wrote to stderr, without anything that may be a key."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    return _LIKE_A_KEY.sub("…", lines[-1])[:_LONGEST_COMPLAINT].rstrip(".") if lines else ""


def _error(profile: str, what: str) -> CredentialProcessError:
    return CredentialProcessError(
        f"credential_process of profile {profile} {what}", f"try by hand what credential_process says in [{profile}]"
    )


def command_of(profile: str) -> str:
    """Give the line for ~/.aws/config that makes us a profile's credential_process."""
    return f"credential_process = awsdirenv {_COMMAND} {shlex.quote(os.fspath(profile))}"
