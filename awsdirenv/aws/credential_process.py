"""The protocol of credential_process, both ways: running such a program, and being one.

The format is Version 1 of AWS's "Sourcing credentials with an external process". A program that we run is told in its
environment for which profiles we are at it, so that one that comes back to us for the same is noticed at once: it
would wait for a lock that is held for it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import PurePath
from typing import Any

from awsdirenv.cache.layout import snapshot_key
from awsdirenv.credentials import SessionCredentials, utc_now
from awsdirenv.errors import CredentialProcessError
from awsdirenv.system import subprocesses
from awsdirenv.system.paths import home
from awsdirenv.system.progress import patience
from awsdirenv.system.text import utc_text

TIMEOUT = 60  # seconds
RUNNING_FOR = "AWSDIRENV_RUNNING_FOR"  # names of snapshots: the same profile of other files is another
_COMMAND = "credential-process"
# What is as long as a key may be one, but for the one long word that our own messages have.
_LIKE_A_KEY = re.compile(r"(?<![\w+/=-])(?!credential[_-]process(?![\w+/=-]))[\w+/=-]{16,}")
_ACCOUNT = re.compile(r"[0-9]{1,20}")
_LONGEST_COMPLAINT = 200
_OUR_WORDS = "awsdirenv: error: "


def credentials(
    command: str,
    profile: str,
    environ: Mapping[str, str],
    wanted_for: str,
    waiting: Callable[[str], None] = lambda _: None,
) -> SessionCredentials:
    """Run a profile's credential_process and give its credentials. Raises CredentialProcessError.

    `wanted_for` is the profile that was asked for, at the other end of the chain; `waiting` is told when it takes
    longer than a second.
    """
    arguments = _arguments(command, profile, environ)
    keys = [*_running_for(environ), *(snapshot_key(name, environ) for name in (wanted_for, profile))]
    environ = {**environ, RUNNING_FOR: "\n".join(dict.fromkeys(keys))}
    try:
        with patience(waiting, f"credential_process of profile {profile}"):
            done = subprocesses.run(arguments, TIMEOUT, catch_errors=True, environ=environ)
    except OSError as error:
        raise _error(profile, f"cannot start: {error.strerror or type(error).__name__}") from None
    except ValueError:  # a NUL byte
        raise _error(profile, "cannot start") from None
    except subprocesses.StillRunningError:
        raise _error(profile, f"gave nothing within {TIMEOUT}s") from None
    except subprocesses.TooMuchOutputError:
        raise _error(profile, "printed far more than credentials") from None
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
        "Expiration": found.expiration and utc_text(found.expiration),
        "AccountId": found.account_id,
    }
    return json.dumps({name: value for name, value in document.items() if value is not None}) + "\n"


def profile_wanted(command: str) -> str | None:
    """Give the profile that a credential_process wants from us, or None where it is not us, or not plainly so."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if _COMMAND not in words:
        return None
    before, after = words[: words.index(_COMMAND)], iter(words[words.index(_COMMAND) + 1 :])
    # Behind `env NAME=value` the same name may be another profile.
    if any("=" in word for word in before) or not any(PurePath(word).name == "awsdirenv" for word in before):
        return None
    return _positional(after)


def _positional(words: Iterator[str]) -> str | None:
    for word in words:
        if word in ("--", "--duration"):
            value = next(words, None)
            if word == "--":
                return value
        elif not word.startswith("-"):
            return word
    return None


def is_running_for(profile: str, environ: Mapping[str, str]) -> bool:
    """Tell whether we were started, however indirectly, by a credential_process of that very profile."""
    return snapshot_key(profile, environ) in _running_for(environ)


def _running_for(environ: Mapping[str, str]) -> list[str]:
    return [key for key in environ.get(RUNNING_FOR, "").split("\n") if key]


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
    except (ValueError, RecursionError):  # UnicodeDecodeError is the former, a thousand brackets are the latter
        raise _error(profile, "did not print JSON") from None
    if not isinstance(document, dict):
        raise _error(profile, "did not print a JSON object")
    if document.get("Version") != 1 or isinstance(document["Version"], bool):
        raise _error(profile, "did not print Version 1")
    for name in ("AccessKeyId", "SecretAccessKey"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise _error(profile, f"printed no {name}")
    token, expiration, account = (
        document.get("SessionToken"),
        document.get("Expiration"),
        str(document.get("AccountId")),
    )
    if token is not None and not isinstance(token, str):
        raise _error(profile, "printed a SessionToken that is no text")
    found = SessionCredentials(
        access_key_id=document["AccessKeyId"],
        secret_access_key=document["SecretAccessKey"],
        session_token=token or None,
        expiration=_moment(expiration, profile) if expiration is not None else None,
        issued=utc_now(),
        account_id=account if _ACCOUNT.fullmatch(account) else None,
    )
    if not found.is_usable(utc_now()):
        raise _error(profile, "gave credentials that have expired already")
    return found


def _moment(text: object, profile: str) -> datetime:
    """Read an Expiration: ISO 8601 with an offset, and whatever else botocore's parser takes."""
    from dateutil.parser import parse  # noqa: PLC0415 - botocore's own

    try:
        # The parser would warn of names of zones that it does not know, on stderr.
        moment: datetime = parse(text if isinstance(text, str) else "", tzinfos=_zone)
        if moment.tzinfo is None:
            raise _error(profile, "printed an Expiration without an offset")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise _error(profile, "printed an Expiration that is no time") from None


def _zone(_name: str | None, offset: int | None) -> tzinfo | None:
    return None if offset is None else timezone(timedelta(seconds=offset))


def _last_words(complaint: bytes) -> str:
    """Give the last line of what a program wrote to stderr, without anything that may be a key."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    ours = [line.removeprefix(_OUR_WORDS) for line in lines if line.startswith(_OUR_WORDS)]  # a hint comes after it
    last = next(reversed(ours or lines), "")
    return _LIKE_A_KEY.sub("…", last)[:_LONGEST_COMPLAINT].rstrip(".")


def _error(profile: str, what: str) -> CredentialProcessError:
    return CredentialProcessError(
        f"credential_process of profile {profile} {what}", f"try by hand what credential_process says in [{profile}]"
    )
