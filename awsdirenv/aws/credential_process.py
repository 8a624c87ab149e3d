"""The protocol of credential_process, in both roles: we run such programs, and we are one for SDKs.

The format is Version 1 of AWS's "Sourcing credentials with an external process". A program that we run finds in its
environment for which profiles we run it. If it calls us for one of these profiles, it is refused at once: otherwise it
would wait for a lock that we hold until it has ended.
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
from awsdirenv.errors import CredentialProcessError
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.system import subprocesses
from awsdirenv.system.clocks import patience
from awsdirenv.system.files import home
from awsdirenv.system.text import utc_text, without_keys

TIMEOUT = 60  # seconds
# The profiles, one a line, by the names of their snapshots: a profile of the same name in other files is another one.
RUNNING_FOR = "AWSDIRENV_RUNNING_FOR"
_COMMAND = "credential-process"
_ACCOUNT = re.compile(r"[0-9]{1,20}")
_LONGEST_COMPLAINT = 200  # characters
_OUR_WORDS = "awsdirenv: error: "


def credentials(
    command: str,
    profile: str,
    environ: Mapping[str, str],
    wanted_for: str,
    waiting: Callable[[str], None] = lambda _: None,
) -> SessionCredentials:
    """Run the credential_process of a profile and return its credentials. Raises CredentialProcessError.

    `wanted_for` is the profile at the other end of the chain, which somebody wants to use. `waiting` is told when it
    takes longer than a second.
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


def render(given: SessionCredentials) -> str:
    """Return the text that a credential_process prints. An unknown end is left out, as the format demands."""
    document = {
        "Version": 1,
        "AccessKeyId": given.access_key_id,
        "SecretAccessKey": given.secret_access_key,
        "SessionToken": given.session_token,
        "Expiration": given.expiration and utc_text(given.expiration),
        "AccountId": given.account_id,
    }
    return json.dumps({name: value for name, value in document.items() if value is not None}) + "\n"


def profile_wanted(command: str) -> str | None:
    """Return the profile that a credential_process asks us for. None for another program, or if that is unclear."""
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
    """Return the first argument that is no option of `awsdirenv credential-process`."""
    for word in words:
        if word in ("--", "--duration"):
            value = next(words, None)
            if word == "--":
                return value
        elif not word.startswith("-"):
            return word
    return None


def is_running_for(profile: str, environ: Mapping[str, str]) -> bool:
    """Return whether a credential_process of this very profile has started us, directly or not."""
    return snapshot_key(profile, environ) in _running_for(environ)


def _running_for(environ: Mapping[str, str]) -> list[str]:
    return [key for key in environ.get(RUNNING_FOR, "").split("\n") if key]


def _arguments(command: str, profile: str, environ: Mapping[str, str]) -> list[str]:
    """Split a command line as botocore does, without a shell. A ~ at the start of a word is the home folder."""
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
    except (ValueError, RecursionError):  # no text is the first one, a thousand brackets are the second one
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
    given = SessionCredentials(
        access_key_id=document["AccessKeyId"],
        secret_access_key=document["SecretAccessKey"],
        session_token=token or None,
        expiration=_moment(expiration, profile) if expiration is not None else None,
        issued=utc_now(),
        account_id=account if _ACCOUNT.fullmatch(account) else None,
    )
    if not given.is_usable(utc_now()):
        raise _error(profile, "gave credentials that have expired already")
    return given


def _moment(text: object, profile: str) -> datetime:
    """Read an Expiration: ISO 8601 with an offset, and whatever else botocore's parser accepts."""
    from dateutil.parser import parse  # noqa: PLC0415 - botocore's own

    try:
        # Without tzinfos the parser writes warnings about unknown time zones to stderr.
        moment: datetime = parse(text if isinstance(text, str) else "", tzinfos=_zone)
        if moment.tzinfo is None:
            raise _error(profile, "printed an Expiration without an offset")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise _error(profile, "printed an Expiration that is no time") from None


def _zone(_name: str | None, offset: int | None) -> tzinfo | None:
    return None if offset is None else timezone(timedelta(seconds=offset))


def _last_words(complaint: bytes) -> str:
    """Return the last line that a program wrote to stderr, without anything that may be a key."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    ours = [line.removeprefix(_OUR_WORDS) for line in lines if line.startswith(_OUR_WORDS)]  # a hint comes after it
    last = next(reversed(ours or lines), "")
    return without_keys(last)[:_LONGEST_COMPLAINT].rstrip(".")


def _error(profile: str, what: str) -> CredentialProcessError:
    return CredentialProcessError(
        f"credential_process of profile {profile} {what}", f"try by hand what credential_process says in [{profile}]"
    )
