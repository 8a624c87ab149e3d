"""The credentials that a chain starts from, by botocore's own providers: all but stored keys and credential_process.

What botocore can resolve, botocore resolves. Three things are ours: which provider is asked (`config.resolve` has
chosen it in botocore's order), which environment it sees, and a quick look whether this machine is an EC2 instance.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from awsdirenv.aws import sso_token
from awsdirenv.config.chain import ATTACHED, CONTAINER, ENVIRONMENT, INSTANCE, Chain, SsoSession
from awsdirenv.session_credentials import SessionCredentials, utc_now

_CONNECT_TIMEOUT = 0.8  # seconds; the metadata service is on the same machine, so it answers at once or never
_METADATA = {"ipv4": "http://169.254.169.254/", "ipv6": "http://[fd00:ec2::254]/"}


def resolve(chain: Chain, session: Any, region: str | None, environ: Mapping[str, str]) -> SessionCredentials | None:
    """Return the credentials that the chain starts from, or None. Raises whatever botocore raises."""
    import botocore.credentials as bc  # noqa: PLC0415

    if chain.source_kind == ENVIRONMENT:
        providers: list[Any] = [bc.EnvProvider(environ=environ)]
    elif chain.source_kind == CONTAINER:
        providers = [bc.ContainerProvider(environ=environ)]
    elif chain.source_kind == INSTANCE:
        providers = _instance(session, environ)
    else:
        # Exactly the providers that botocore asks for a named profile. The environment's keys are not among them.
        providers = bc.ProfileProviderBuilder(session, region_name=region).providers(chain.source_profile, True)
        if chain.source_kind == ATTACHED and not chain.hops:
            providers += _attached(chain.source_profile, session, region, environ)
    return _signed_in(chain.sso_session, providers, environ) if chain.sso_session else _load(providers)


def _signed_in(sso_session: SsoSession, providers: list[Any], environ: Mapping[str, str]) -> SessionCredentials | None:
    """Load with the token of a sign-in, and try again where another program has just written a new token."""
    import botocore.exceptions as bx  # noqa: PLC0415

    before = sso_token.read(sso_session, environ)
    try:
        return _load(providers)
    except (bx.SSOError, bx.TokenRetrievalError):
        # The AWS CLI does not take our lock. When both refresh at once, the refresh token works for one of them only.
        if sso_token.read(sso_session, environ) == before:
            raise
    except bx.InvalidRegionError:  # a ValueError, but the token has no part in it
        raise
    except (KeyError, ValueError, TypeError, AttributeError, bx.ParamValidationError):
        # The token file is broken or half written: the AWS CLI writes in place, and botocore does not check it.
        if sso_token.is_sound(sso_session, environ):
            raise
        raise bx.SSOTokenLoadError(error_msg="the token is none") from None
    return _load(providers)


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
    try:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECT_TIMEOUT):
            return True
    except (OSError, ValueError):
        return False


def _frozen(credentials: Any) -> SessionCredentials:
    frozen = credentials.get_frozen_credentials()
    return SessionCredentials(
        access_key_id=frozen.access_key,
        secret_access_key=frozen.secret_key,
        session_token=frozen.token or None,
        expiration=getattr(credentials, "_expiry_time", None),
        issued=utc_now(),
        account_id=getattr(frozen, "account_id", None),
    )
