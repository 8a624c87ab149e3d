"""The credentials that a chain starts from: by botocore's own providers, and by credential_process, which we run.

What botocore can resolve, botocore resolves. Three things are ours: which provider is asked (`config.resolve` has
chosen it in botocore's order), which environment it sees, and a quick look whether this machine is an EC2 instance.

A credential_process prints Version 1 of AWS's "Sourcing credentials with an external process". It finds in its
environment for which profiles we run it. If it calls us for one of these profiles, it is refused at once: otherwise it
would wait for a lock that we hold until it has ended.

Importing this module is cheap: botocore is imported by the functions that use it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from urllib.parse import urlsplit

from awsdirenv.aws.shared_tokens import WRITTEN_WITHIN, load, token_file
from awsdirenv.cache.layout import snapshot_key
from awsdirenv.config.aws_files import AwsFiles, place_of
from awsdirenv.config.chain import (
    ATTACHED,
    CONTAINER,
    CREDENTIAL_SOURCES,
    ENVIRONMENT,
    INSTANCE,
    LOGIN,
    SSO,
    Chain,
)
from awsdirenv.errors import CredentialProcessError, NoCredentialsError
from awsdirenv.session_credentials import SessionCredentials, in_utc, utc_now
from awsdirenv.system import subprocesses
from awsdirenv.system.clocks import patience
from awsdirenv.system.files import home
from awsdirenv.system.text import one_line, without_keys

_CONNECT_TIMEOUT = 0.8  # seconds; the metadata service is on the same machine, so it answers at once or never
_METADATA = {"ipv4": "http://169.254.169.254/", "ipv6": "http://[fd00:ec2::254]/"}

PROCESS_TIMEOUT = 60  # seconds
# The profiles for which we run such a program, one a line, by the names of their snapshots: a profile of the same name
# in other files is another one.
_RUNNING_FOR = "AWSDIRENV_RUNNING_FOR"
_CREDENTIAL_SOURCE_BY_KIND = {kind: name for name, kind in CREDENTIAL_SOURCES.items()}
_ACCOUNT = re.compile(r"[0-9]{1,20}")
_LONGEST_COMPLAINT = 200  # characters
_OUR_WORDS = "awsdirenv: error: "


def resolve(
    chain: Chain, session: Any, region: str | None, environ: Mapping[str, str], seconds: float
) -> SessionCredentials | None:
    """Return the credentials that the chain starts from, or None. Raises whatever botocore raises.

    `seconds` is how long all of it may take. It limits how long we wait for a program that renews the same sign-in.
    """
    import botocore.credentials as bc  # noqa: PLC0415
    from botocore.exceptions import MissingDependencyException  # noqa: PLC0415

    if chain.source_kind == ENVIRONMENT:
        providers: list[Any] = [bc.EnvProvider(environ=environ)]
    elif chain.source_kind == CONTAINER:
        providers = [bc.ContainerProvider(environ=environ)]
    elif chain.source_kind == INSTANCE:
        providers = _instance(session, environ)
    else:
        if chain.source_kind == LOGIN and not hasattr(bc, "LoginProvider"):
            raise MissingDependencyException(msg="this botocore does not know `aws login`")
        # Exactly the providers that botocore asks for a named profile. The environment's keys are not among them.
        providers = bc.ProfileProviderBuilder(session, region_name=region).providers(chain.source_profile, True)
        if chain.source_kind == ATTACHED and not chain.hops:
            providers += _attached(chain.source_profile, session, region, environ)
    if chain.source_kind not in (SSO, LOGIN):
        return _load(providers)
    login_session = session.full_config["profiles"].get(chain.source_profile, {}).get("login_session")
    within = min(WRITTEN_WITHIN, seconds / 4)
    return load(token_file(chain, login_session, environ), lambda: _load(providers), within)


def nothing_found(files: AwsFiles, chain: Chain) -> NoCredentialsError:
    """Make the error for a source that has no credentials."""
    profile = chain.source_profile
    if chain.is_named_source:
        named = _CREDENTIAL_SOURCE_BY_KIND[chain.source_kind]
        return NoCredentialsError(
            f"profile {profile} has credential_source = {named}, and there are none here",
            f"change credential_source in {place_of(files, profile, 'credential_source')}, or go where it works",
        )
    alone = chain.source_kind == ATTACHED and not chain.hops
    return NoCredentialsError(
        f"profile {profile} has no credentials{', and no role is attached to this machine' if alone else ''}",
        _missing(files, chain, profile),
    )


def _missing(files: AwsFiles, chain: Chain, profile: str) -> str:
    """Return what to add to a profile that has no credentials, by what it has."""
    values, section = files.profiles[profile], place_of(files, profile)
    if "source_profile" in values or "credential_source" in values:
        key = "source_profile" if "source_profile" in values else "credential_source"
        return f"add role_arn to {section}: {key} alone gives no credentials"
    if "sso_session" in values or "sso_start_url" in values:
        return f"add sso_account_id and sso_role_name to {section}"
    keys = f"add aws_access_key_id and aws_secret_access_key to [{profile}] in {files.credentials_path}"
    if profile == chain.profile == "default" and len(files.profiles) > 1:
        return f"name a profile of those that awsdirenv list shows, or {keys}"
    return keys


def _load(providers: list[Any]) -> SessionCredentials | None:
    import botocore.credentials as bc  # noqa: PLC0415

    credentials = bc.CredentialResolver(providers).load_credentials()
    return _frozen(credentials) if credentials else None


def _attached(profile: str, session: Any, region: str | None, environ: Mapping[str, str]) -> list[Any]:
    """Return the providers for the role that is attached to this pod, function, task or machine.

    For a named profile botocore asks neither the pod's nor the function's. We do: a profile that says nothing about
    credentials can mean nothing else there, and people do not export these variables by hand.
    """
    import botocore.credentials as bc  # noqa: PLC0415

    providers: list[Any] = []
    names = {"web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE", "role_arn": "AWS_ROLE_ARN"}
    names["role_session_name"] = "AWS_ROLE_SESSION_NAME"
    pod = {key: environ[name] for key, name in names.items() if environ.get(name)}
    if "web_identity_token_file" in pod and "role_arn" in pod:
        providers.append(
            bc.AssumeRoleWithWebIdentityProvider(
                load_config=lambda: {"profiles": {profile: pod}},
                client_creator=lambda name, **options: session.create_client(name, region_name=region, **options),
                profile_name=profile,
                disable_env_vars=True,
            )
        )
    if environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        providers.append(bc.EnvProvider(environ=environ))
    providers += [bc.OriginalEC2Provider(environ=environ), bc.BotoProvider(environ=environ)]
    return [*providers, bc.ContainerProvider(environ=environ), *_instance(session, environ)]


def _instance(session: Any, environ: Mapping[str, str]) -> list[Any]:
    """Return the provider of an EC2 instance's role, or nothing if no service answers soon: botocore waits longer."""
    import botocore.credentials as bc  # noqa: PLC0415
    from botocore.utils import resolve_imds_endpoint_mode  # noqa: PLC0415

    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return []
    # botocore asks the environment of this process, from which a directory has taken these out.
    for name in ("ec2_metadata_service_endpoint", "ec2_metadata_service_endpoint_mode"):
        if value := environ.get(f"AWS_{name.upper()}"):
            session.set_config_variable(name, value)
    endpoint = session.get_config_variable("ec2_metadata_service_endpoint")
    if not _answers(endpoint or _METADATA[str(resolve_imds_endpoint_mode(session))]):
        return []
    return [bc.create_credential_resolver(session).get_provider("iam-role")]


def _answers(url: str) -> bool:
    import socket  # noqa: PLC0415 - only machines that may be EC2 instances need it

    try:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECT_TIMEOUT):
            return True
    except (OSError, ValueError):
        return False


def _frozen(credentials: Any) -> SessionCredentials:
    frozen = credentials.get_frozen_credentials()
    expiration = getattr(credentials, "_expiry_time", None)
    return SessionCredentials(
        access_key_id=frozen.access_key,
        secret_access_key=frozen.secret_key,
        session_token=frozen.token or None,
        expiration=expiration and in_utc(expiration),
        issued=utc_now(),
        account_id=getattr(frozen, "account_id", None),
    )


class _Fault(Exception):  # noqa: N818 - it becomes an error in one place
    """What a credential_process has done wrong, in words that follow its name."""


def process_credentials(  # noqa: PLR0913, PLR0917
    command: str,
    profile: str,
    place: str,
    environ: Mapping[str, str],
    wanted_for: str,
    waiting: Callable[[str], None] = lambda _: None,
) -> SessionCredentials:
    """Run the credential_process of a profile and return its credentials. Raises CredentialProcessError.

    `place` is where it stands, for the hint. `wanted_for` is the profile at the other end of the chain, which somebody
    wants to use. `waiting` is told when it takes longer than a second.
    """
    keys = [*_running_for(environ), *(snapshot_key(name, environ) for name in (wanted_for, profile))]
    environ = {**environ, _RUNNING_FOR: "\n".join(dict.fromkeys(keys))}
    try:
        with patience(waiting, f"credential_process of profile {profile}"):
            output = _output(_arguments(command, environ), environ)
        return _parsed(output)
    except _Fault as fault:
        raise CredentialProcessError(
            f"credential_process of profile {profile} {fault}",
            f"run the command yourself: credential_process in {place}",
        ) from None


def _output(arguments: list[str], environ: Mapping[str, str]) -> bytes:
    """Run a program, and return what it has written."""
    try:
        done = subprocesses.run(arguments, PROCESS_TIMEOUT, catch_errors=True, environ=environ)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _Fault(f"cannot start{_program(arguments[0])}: {reason}") from None
    except ValueError:  # a NUL byte
        raise _Fault("cannot start") from None
    except subprocesses.StillRunningError:
        raise _Fault(f"did not end within {PROCESS_TIMEOUT}s") from None
    except subprocesses.TooMuchOutputError:
        raise _Fault("printed far more than credentials") from None
    if done.status != 0:
        complaint = _last_words(done.complaint)
        raise _Fault(f"failed with status {done.status}{': ' if complaint else ''}{complaint}")
    return done.output


def is_running_for(profile: str, environ: Mapping[str, str]) -> bool:
    """Return whether a credential_process of this very profile has started us, directly or not."""
    return snapshot_key(profile, environ) in _running_for(environ)


def _running_for(environ: Mapping[str, str]) -> list[str]:
    return [key for key in environ.get(_RUNNING_FOR, "").split("\n") if key]


def _arguments(command: str, environ: Mapping[str, str]) -> list[str]:
    """Split a command line as botocore does, without a shell. A ~ at the start of a word is the home folder."""
    try:
        words = shlex.split(command)
    except ValueError:
        raise _Fault("has a quote that is not closed") from None
    if not words:
        raise _Fault("is empty")
    return [str(home(environ)) + word[1:] if word == "~" or word.startswith("~/") else word for word in words]


def _program(word: str) -> str:
    """Return a blank and the name of a program, for a message. Empty if the name may be an assignment of a secret."""
    if "=" in word:
        return ""
    return f" {one_line('/'.join(without_keys(part) for part in word.split('/')))}"


def _parsed(output: bytes) -> SessionCredentials:
    try:
        document: Any = json.loads(output)
    except (ValueError, RecursionError):  # no text is the first one, a thousand brackets are the second one
        raise _Fault("did not print JSON") from None
    if not isinstance(document, dict):
        raise _Fault("did not print a JSON object")
    if document.get("Version") != 1 or isinstance(document["Version"], bool):
        raise _Fault("did not print Version 1")
    for name in ("AccessKeyId", "SecretAccessKey"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise _Fault(f"printed no {name}")
    token, expiration, account = (
        document.get("SessionToken"),
        document.get("Expiration"),
        str(document.get("AccountId")),
    )
    if token is not None and not isinstance(token, str):
        raise _Fault("printed a SessionToken that is no text")
    given = SessionCredentials(
        access_key_id=document["AccessKeyId"],
        secret_access_key=document["SecretAccessKey"],
        session_token=token or None,
        expiration=_moment(expiration) if expiration is not None else None,
        issued=utc_now(),
        account_id=account if _ACCOUNT.fullmatch(account) else None,
    )
    if not given.is_usable(utc_now()):
        raise _Fault("gave credentials that have ended")
    return given


def _moment(text: object) -> datetime:
    """Read an Expiration: ISO 8601 with an offset, and whatever else botocore's parser accepts."""
    from dateutil.parser import parse  # noqa: PLC0415 - botocore's own

    try:
        # Without tzinfos the parser writes warnings about unknown time zones to stderr.
        moment: datetime = parse(text if isinstance(text, str) else "", tzinfos=_zone)
        if moment.tzinfo is None:
            raise _Fault("printed an Expiration without an offset")
        return in_utc(moment)
    except (ValueError, OverflowError):
        raise _Fault("printed an Expiration that is no time") from None


def _zone(_name: str | None, offset: int | None) -> tzinfo | None:
    return None if offset is None else timezone(timedelta(seconds=offset))


def _last_words(complaint: bytes) -> str:
    """Return the last line that a program wrote to stderr, without anything that may be a key."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    ours = [line.removeprefix(_OUR_WORDS) for line in lines if line.startswith(_OUR_WORDS)]  # a hint comes after it
    last = next(reversed(ours or lines), "")
    return without_keys(last)[:_LONGEST_COMPLAINT].rstrip(".")
